#!/usr/bin/env python3
"""Texts from which a small model learns to summarize by choosing and copying.

summary_texts.py TRAIN.tsv[.xz] OUT_DIR, with document<TAB>summary lines, writes
source<TAB>target files for sheaf-tokenize --align=copies:

  whole.tsv      the document's first sentences, up to 165 words; the target is the
                 one of them that is nearest to the summary (ROUGE-1 + ROUGE-L)
  long.tsv       the same target in up to 300 words, where the document has more
  windows.tsv    the same target with a few sentences around it
  sentences.tsv  two sentences of each document, each its own target
  words.tsv      few words in random order, again and again: who copies that must
                 look at more than the last word
"""
import collections
import lzma
import os
import random
import re
import sys

MAX_WORDS = 165  # of a document; targets come from these
MAX_LONG_WORDS = 300
WORD = re.compile(r'[a-z0-9]+')
SENTENCE_END = re.compile(r'[.!?]["\')\]]*\s+(?=[A-Z0-9"\'(\[])')
ABBREVIATION = re.compile(
    r'(?:\b(?:e\.g|i\.e|etc|vs|cf|al|Fig|Eq|Sec|No|Dr|Mr|St|approx|resp|w\.r\.t|[A-Z])\.)$')
# Who is told to be doing what: such a sentence says what the whole is about.
WHO = re.compile(r'\b(we|this (paper|article|work|topic|study|note|thesis)|'
                 r'in this (paper|work|article|study|note))\b', re.I)
DOES = re.compile(r'\b(propos|present|introduc|describ|develop|show|provid|demonstrat|explain|'
                  r'investigat|stud(y|ie)|prov|address|consider|discuss|analy)', re.I)


def words_of(text):
  return WORD.findall(text.lower())


def rouge_1(a, b):
  common = sum((collections.Counter(a) & collections.Counter(b)).values())
  return 2 * common / (len(a) + len(b)) if common else 0


def rouge_l(a, b):
  row = [0] * (len(b) + 1)
  for x in a:
    before = row[:]
    for j, y in enumerate(b):
      row[j + 1] = before[j] + 1 if x == y else max(before[j + 1], row[j])
  return 2 * row[-1] / (len(a) + len(b)) if row[-1] else 0


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


def first_sentences(document, max_words):
  sentences, count = [], 0
  for sentence in sentences_of(document):
    count += len(sentence.split())
    if count > max_words:
      break
    sentences.append(sentence)
  return sentences


def nearest(sentences, summary):
  """The place of the sentence nearest to the summary; None if none is near."""
  truth = words_of(summary)
  best, place = 0.25, None
  for i, sentence in enumerate(sentences):
    if not 5 <= len(sentence.split()) <= 55:
      continue
    found = words_of(sentence)
    score = rouge_1(found, truth) + rouge_l(found, truth)
    if WHO.search(sentence) and DOES.search(sentence):
      score += 0.12
    if score > best:
      best, place = score, i
  return place


def window(sentences, place):
  """Sentences around that place, 40 to 70 words."""
  budget = random.choice([40, 55, 70])
  low = high = place
  count = len(sentences[place].split())
  while True:
    more = [i for i in (low - 1, high + 1) if 0 <= i < len(sentences)
            and count + len(sentences[i].split()) <= budget]
    if not more:
      return sentences[low:high + 1]
    i = random.choice(more)
    count += len(sentences[i].split())
    low, high = min(low, i), max(high, i)


def main():
  random.seed(5)
  source, out = sys.argv[1:]
  files = {name: open(os.path.join(out, name + '.tsv'), 'w', encoding='utf-8')
           for name in ('whole', 'long', 'windows', 'sentences', 'words')}

  def write(name, text, target):
    files[name].write(text + '\t' + target + '\n')

  opened = lzma.open(source, 'rt', encoding='utf-8') if source.endswith('.xz') \
      else open(source, encoding='utf-8')
  for line in opened:
    document, summary = line.rstrip('\n').split('\t')[:2]
    sentences = first_sentences(document, MAX_WORDS)
    place = nearest(sentences, summary)
    if len(sentences) < 2 or place is None:
      continue
    write('whole', ' '.join(sentences), sentences[place])
    more = first_sentences(document, MAX_LONG_WORDS)
    if len(more) > len(sentences):
      write('long', ' '.join(more), sentences[place])
    some = window(sentences, place)
    if len(some) > 1:
      write('windows', ' '.join(some), sentences[place])
    alone = [s for s in random.sample(sentences, 2) if 5 <= len(s.split()) <= 32]
    for sentence in alone:
      write('sentences', sentence, sentence)
    if random.random() < 0.25:
      few = sorted(set(sentences[place].split()))
      few = random.sample(few, min(len(few), random.randint(6, 16)))
      text = ' '.join(random.choices(few, k=random.randint(16, 34)))
      write('words', text, text)
  for file in files.values():
    file.close()


if __name__ == '__main__':
  main()
