#!/usr/bin/env python3
"""Texts from which a small model learns to summarize by choosing, shortening and copying.

summary_texts.py TEXTS.tsv[.xz] OUT_DIR, with documents or single sentences in the first
column, writes source<TAB>target files for sheaf-tokenize --align=copies:

  whole.tsv      the document's first sentences, up to 300 words; the target is the
                 first of eight that says what its writers do ("we propose", "this
                 article describes"), or else the first of all, without its preamble
                 and, if it is long, without its last clauses
  windows.tsv    the same for a few sentences from anywhere in the document
  sentences.tsv  two sentences of each document, each by itself
  words.tsv      few words in random order and some phrases of them, again and again:
                 who copies that must look at more than the last words
  shuffled.tsv   the sentences of whole.tsv in random order, and in most some that begin
                 as the target and go on as another, or the other way round
  gathered.tsv   of lines that hold one sentence: texts of such as share a word
"""
import lzma
import os
import random
import re
import sys

MAX_WORDS = 300  # of a document
MAX_TARGET_WORDS = 55
LONG = 26  # words of a sentence of which the last clauses go
CHOICE = 8  # sentences, from the first, that may stand for all
SENTENCE_END = re.compile(r'[.!?]["\')\]]*\s+(?=[A-Z0-9"\'(\[])')
ABBREVIATION = re.compile(
    r'(?:\b(?:e\.g|i\.e|etc|vs|cf|al|Fig|Eq|Sec|No|Dr|Mr|St|approx|resp|w\.r\.t|[A-Z])\.)$')
# Who is told to be doing what: such a sentence says what the whole is about.
WHO = re.compile(r'\b(we|this (paper|article|work|topic|study|note|thesis)|'
                 r'in this (paper|work|article|study|note))\b', re.I)
DOES = re.compile(r'\b(propos|present|introduc|describ|develop|show|provid|demonstrat|explain|'
                  r'investigat|stud(y|ie)|prov|address|consider|discuss|analy)', re.I)

# What goes from the front: "In this paper, " before "we", "This article " before its verb.
WE = re.compile(r'^.{0,79}?\b(we (?:also )?\w+(?: \S+){4})')
SUBJECT = re.compile(r'^(?:this|the present) (?:paper|article|work|study|topic|note|thesis|section|'
                     r'tutorial|page|document|guide) (?:also )?'
                     r'(?!is |was |has |does )(?=\w+s (?:\S+ ){2})', re.I)
# At the end: a clause that a comma and such a word begin, unless it ends a list.
CLAUSE = re.compile(r'which|where|while|whereas|and|but|so|as|by|with|including|such|thus|thereby|'
                    r'hence|using|based|making|when|because|without|unlike|whose|who|under')
SUBORDINATE = re.compile(r'(?:when|if|while|as|in|to|for|although|though|since|after|before|once|'
                         r'with|given|by|because|unlike|on|at|from|through|under|during|due|despite|'
                         r'whereas|rather|instead|motivated|inspired|based|using|building|besides|'
                         r'beyond|among|along|without)$', re.I)


def sentences_of(document):
  sentences, start = [], 0
  for match in SENTENCE_END.finditer(document):
    sentence = document[start:match.end()].strip()
    if ABBREVIATION.search(sentence) or len(sentence.split()) < 4:
      continue
    sentences.append(sentence)
    start = match.end()
  rest = document[start:].strip()
  return sentences + [rest] if rest else sentences


def first_of(sentences):
  """As many as have MAX_WORDS together."""
  first, count = [], 0
  for sentence in sentences:
    count += len(sentence.split())
    if count > MAX_WORDS:
      break
    first.append(sentence)
  return first


def first_sentences(document):
  return first_of(sentences_of(document))


def chosen(sentences):
  """The sentence that stands for all of them."""
  first = sentences[:CHOICE]
  said = [s for s in first if WHO.search(s) and DOES.search(s)]
  return (said or first)[0]


def without_last_clauses(sentence):
  """The clauses that fit into LONG words, if there are any of 12 words or more."""
  words = sentence.split()
  if len(words) <= LONG:
    return sentence
  commas = [i for i in range(4, LONG) if words[i - 1][-1] in ',;']
  if commas and SUBORDINATE.match(words[0]):
    del commas[0]  # what comes before it is no sentence
  ends = [i for i in commas if i >= 12 and (words[i - 1][-1] == ';' or (
      CLAUSE.fullmatch(words[i]) and not any(word[-1] == ',' for word in words[i - 6:i - 1])))]
  return ' '.join(words[:ends[-1]])[:-1] + '.' if ends else sentence


def shortened(sentence):
  we = WE.match(sentence)
  rest = sentence[we.start(1):] if we else SUBJECT.sub('', sentence)
  return without_last_clauses(rest[:1].upper() + rest[1:])


def summary(sentences):
  return shortened(chosen(sentences))


def window(sentences):
  """Sentences around a random place, up to 40, 55 or 70 words."""
  budget = random.choice([40, 55, 70])
  low = high = random.randrange(len(sentences))
  count = len(sentences[low].split())
  while True:
    more = [i for i in (low - 1, high + 1) if 0 <= i < len(sentences)
            and count + len(sentences[i].split()) <= budget]
    if not more:
      return sentences[low:high + 1]
    i = random.choice(more)
    count += len(sentences[i].split())
    low, high = min(low, i), max(high, i)


def repeating(words):
  """16 to 38 of the words in random order; in most, some phrases come again."""
  phrases = [random.choices(words, k=random.randint(2, 5)) for _ in range(random.randint(1, 3))]
  share = random.choice([0, 0.3, 0.6])
  length = random.randint(16, 34)
  text = []
  while len(text) < length:
    text += random.choice(phrases) if random.random() < share else [random.choice(words)]
  return text


def crossed(one, other):
  """The beginning of one sentence and the end of the other, at a word of both if there is one."""
  one, other = one.split(), other.split()
  meetings = [(i, j) for i, word in enumerate(one[:-1]) if i for j, same in enumerate(other[:-1])
              if same == word]
  i, j = random.choice(meetings or [(len(one) // 2, len(other) // 2)])
  return ' '.join(one[:i + 1] + other[j + 1:])


def shuffled(sentences):
  """In random order; behind the chosen one, some that are easily taken for it."""
  sentences = random.sample(sentences, len(sentences))
  target = chosen(sentences)
  place = sentences.index(target) + 1
  for _ in range(random.choice([0, 1, 1, 2, 3])):
    pair = [target, random.choice(sentences)]
    random.shuffle(pair)
    sentences.insert(random.randint(place, len(sentences)), crossed(*pair))
  return first_of(sentences)


def gathered(sentences):
  """Texts of 3 to 14 of the sentences in random order, all of which hold some word."""
  holders = {}
  for sentence in sentences:
    for word in set(sentence.split()):
      holders.setdefault(word, []).append(sentence)
  for sentence in random.sample(sentences, len(sentences) // 3):
    words = [word for word in sentence.split() if 3 <= len(holders[word]) <= 500]
    if words:
      some = holders[random.choice(words)]
      yield first_of(random.sample(some, min(len(some), random.randint(3, 14))))


def main():
  random.seed(5)
  source, out = sys.argv[1:]
  os.makedirs(out, exist_ok=True)
  files = {name: open(os.path.join(out, name + '.tsv'), 'w', encoding='utf-8')
           for name in ('whole', 'windows', 'sentences', 'words', 'shuffled', 'gathered')}

  def write(name, text, target):
    if len(target.split()) <= MAX_TARGET_WORDS:
      files[name].write(text + '\t' + target + '\n')

  opened = lzma.open(source, 'rt', encoding='utf-8') if source.endswith('.xz') \
      else open(source, encoding='utf-8')
  single = []
  for line in opened:
    sentences = first_sentences(line.rstrip('\n').split('\t')[0])
    if len(sentences) < 2:
      single += [s for s in sentences if len(s.split()) > 4 and s[-1] in '.!?']
      continue
    write('whole', ' '.join(sentences), summary(sentences))
    some = window(sentences)
    if len(some) > 1:
      write('windows', ' '.join(some), summary(some))
    alone = [s for s in random.sample(sentences, 2) if 5 <= len(s.split()) <= 32]
    for sentence in alone:
      write('sentences', sentence, shortened(sentence))
    if random.random() < 0.25:
      few = sorted(set(chosen(sentences).split()))
      few = random.sample(few, min(len(few), random.randint(6, 16)))
      text = ' '.join(repeating(few))
      write('words', text, text)
    mixed = shuffled(sentences)
    if len(mixed) > 1:
      write('shuffled', ' '.join(mixed), summary(mixed))
  for sentences in gathered(single):
    write('gathered', ' '.join(sentences), summary(sentences))
  for file in files.values():
    file.close()


if __name__ == '__main__':
  main()
