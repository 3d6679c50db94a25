#!/usr/bin/env python3
"""Texts from which a small model learns to summarize by choosing and copying.

summary_texts.py TRAIN.tsv[.xz] OUT_DIR, with documents in the first column, writes
source<TAB>target files for sheaf-tokenize --align=copies:

  whole.tsv      the document's first sentences, up to 300 words; the target is the
                 first that says what its writers do ("we propose", "this article
                 describes"), or else the first of all
  windows.tsv    the same for a few sentences from anywhere in the document
  sentences.tsv  two sentences of each document, each its own target
  words.tsv      few words in random order and some phrases of them, again and again:
                 who copies that must look at more than the last words
  shuffled.tsv   the sentences of whole.tsv in random order, and in most some that begin
                 as the target and go on as another, or the other way round
"""
import lzma
import os
import random
import re
import sys

MAX_WORDS = 300  # of a document
MAX_TARGET_WORDS = 55
SENTENCE_END = re.compile(r'[.!?]["\')\]]*\s+(?=[A-Z0-9"\'(\[])')
ABBREVIATION = re.compile(
    r'(?:\b(?:e\.g|i\.e|etc|vs|cf|al|Fig|Eq|Sec|No|Dr|Mr|St|approx|resp|w\.r\.t|[A-Z])\.)$')
# Who is told to be doing what: such a sentence says what the whole is about.
WHO = re.compile(r'\b(we|this (paper|article|work|topic|study|note|thesis)|'
                 r'in this (paper|work|article|study|note))\b', re.I)
DOES = re.compile(r'\b(propos|present|introduc|describ|develop|show|provid|demonstrat|explain|'
                  r'investigat|stud(y|ie)|prov|address|consider|discuss|analy)', re.I)


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
  said = [s for s in sentences if WHO.search(s) and DOES.search(s)]
  return (said or sentences)[0]


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


def crossed(one, other, dice):
  """The beginning of one sentence and the end of the other, at a word of both if there is one."""
  one, other = one.split(), other.split()
  meetings = [(i, j) for i, word in enumerate(one[:-1]) if i for j, same in enumerate(other[:-1])
              if same == word]
  i, j = dice.choice(meetings or [(len(one) // 2, len(other) // 2)])
  return ' '.join(one[:i + 1] + other[j + 1:])


def shuffled(sentences, dice):
  """In random order; behind the chosen one, some that are easily taken for it."""
  sentences = dice.sample(sentences, len(sentences))
  target = chosen(sentences)
  place = sentences.index(target) + 1
  for _ in range(dice.choice([0, 1, 1, 2, 3])):
    pair = [target, dice.choice(sentences)]
    dice.shuffle(pair)
    sentences.insert(dice.randint(place, len(sentences)), crossed(*pair, dice))
  return first_of(sentences)


def main():
  random.seed(5)
  dice = random.Random(6)
  source, out = sys.argv[1:]
  os.makedirs(out, exist_ok=True)
  files = {name: open(os.path.join(out, name + '.tsv'), 'w', encoding='utf-8')
           for name in ('whole', 'windows', 'sentences', 'words', 'shuffled')}

  def write(name, text, target):
    if len(target.split()) <= MAX_TARGET_WORDS:
      files[name].write(text + '\t' + target + '\n')

  opened = lzma.open(source, 'rt', encoding='utf-8') if source.endswith('.xz') \
      else open(source, encoding='utf-8')
  for line in opened:
    sentences = first_sentences(line.rstrip('\n').split('\t')[0])
    if len(sentences) < 2:
      continue
    target = chosen(sentences)
    write('whole', ' '.join(sentences), target)
    some = window(sentences)
    if len(some) > 1:
      write('windows', ' '.join(some), chosen(some))
    alone = [s for s in random.sample(sentences, 2) if 5 <= len(s.split()) <= 32]
    for sentence in alone:
      write('sentences', sentence, sentence)
    if random.random() < 0.25:
      few = sorted(set(target.split()))
      few = random.sample(few, min(len(few), random.randint(6, 16)))
      text = ' '.join(repeating(few))
      write('words', text, text)
    mixed = shuffled(sentences, dice)
    if len(mixed) > 1:
      write('shuffled', ' '.join(mixed), chosen(mixed))
  for file in files.values():
    file.close()


if __name__ == '__main__':
  main()
