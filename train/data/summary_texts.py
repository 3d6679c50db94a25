#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0

"""Makes texts that teach a small model to summarize by choosing, shortening and copying.

summary_texts.py TEXTS.tsv[.xz] OUT_DIR reads documents or single sentences from the first
column, and writes source<TAB>target files for sheaf-tokenize --align=copies:

  whole.tsv      The first sentences of a document, up to 300 words. The target is the
                 first of eight sentences that says what its authors do ("we propose",
                 "this article describes"), or otherwise the first sentence. The target
                 loses its preamble and, if it is long, its last clauses.
  windows.tsv    The same for a few sentences from anywhere in the document.
  sentences.tsv  Two single sentences of each document.
  words.tsv      Few words and some phrases of them, repeated in random order. A model
                 that copies them must look at more than the last word.
  shuffled.tsv   The sentences of whole.tsv in random order. Most texts also have
                 sentences that begin like the target and end like another sentence, or
                 the other way round.
  gathered.tsv   Texts made of input lines that hold one sentence; the sentences of a
                 text share a word.
"""
import lzma
import os
import random
import re
import sys

MAX_WORDS = 300  # of the source
MAX_TARGET_WORDS = 55
LONG = 26  # a sentence with more words loses its last clauses
CHOICE = 8  # the summary is one of the first CHOICE sentences
SENTENCE_END = re.compile(r'[.!?]["\')\]]*\s+(?=[A-Z0-9"\'(\[])')
ABBREVIATION = re.compile(
    r'(?:\b(?:e\.g|i\.e|etc|vs|cf|al|Fig|Eq|Sec|No|Dr|Mr|St|approx|resp|w\.r\.t|[A-Z])\.)$')
# A sentence with a match of both says what the document is about.
WHO = re.compile(r'\b(we|this (paper|article|work|topic|study|note|thesis)|'
                 r'in this (paper|work|article|study|note))\b', re.I)
DOES = re.compile(r'\b(propos|present|introduc|describ|develop|show|provid|demonstrat|explain|'
                  r'investigat|stud(y|ie)|prov|address|consider|discuss|analy)', re.I)

# Removed from the front: "In this paper, " before "we", and "This article " before a verb.
WE = re.compile(r'^.{0,79}?\b(we (?:also )?\w+(?: \S+){4})')
SUBJECT = re.compile(r'^(?:this|the present) (?:paper|article|work|study|topic|note|thesis|section|'
                     r'tutorial|page|document|guide) (?:also )?'
                     r'(?!is |was |has |does )(?=\w+s (?:\S+ ){2})', re.I)
# Removed from the end: a clause that begins with a comma and one of these words, unless it
# ends a list.
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
  """The first sentences that have at most MAX_WORDS together."""
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
  """The sentence that summarizes the others."""
  first = sentences[:CHOICE]
  said = [s for s in first if WHO.search(s) and DOES.search(s)]
  return (said or first)[0]


def without_last_clauses(sentence):
  """The first clauses that fit into LONG words, if they have at least 12 words."""
  words = sentence.split()
  if len(words) <= LONG:
    return sentence
  commas = [i for i in range(4, LONG) if words[i - 1][-1] in ',;']
  if commas and SUBORDINATE.match(words[0]):
    del commas[0]  # the part before it is not a sentence
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
  """Sentences around a random position, up to 40, 55 or 70 words."""
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
  """16 to 38 of the words in random order, in most texts with repeated phrases."""
  phrases = [random.choices(words, k=random.randint(2, 5)) for _ in range(random.randint(1, 3))]
  share = random.choice([0, 0.3, 0.6])
  length = random.randint(16, 34)
  text = []
  while len(text) < length:
    text += random.choice(phrases) if random.random() < share else [random.choice(words)]
  return text


def crossed(one, other):
  """The beginning of one sentence and the end of the other, joined at a common word if any."""
  one, other = one.split(), other.split()
  meetings = [(i, j) for i, word in enumerate(one[:-1]) if i for j, same in enumerate(other[:-1])
              if same == word]
  i, j = random.choice(meetings or [(len(one) // 2, len(other) // 2)])
  return ' '.join(one[:i + 1] + other[j + 1:])


def shuffled(sentences):
  """The sentences in random order, with similar sentences after the chosen one."""
  sentences = random.sample(sentences, len(sentences))
  target = chosen(sentences)
  place = sentences.index(target) + 1
  for _ in range(random.choice([0, 1, 1, 2, 3])):
    pair = [target, random.choice(sentences)]
    random.shuffle(pair)
    sentences.insert(random.randint(place, len(sentences)), crossed(*pair))
  return first_of(sentences)


def gathered(sentences):
  """Texts of 3 to 14 sentences in random order that share a word."""
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
