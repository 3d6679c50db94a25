// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <random>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "base/check.h"
#include "engine/model_runner.h"

namespace sheaf {

// A model with a rule instead of weights. The token at each place depends only
// on the source; by default it copies the source.
//
// The fake checks that the engine encodes and decodes the right sequences with
// the right blocks. It stores sources as "cross K/V" by block id, and ends the
// process when it has to decode a source that was not encoded. It stores tokens
// as "self K/V" by block id and place. `fill_logits` gets the tokens that the
// blocks hold.
class FakeModelRunner : public ModelRunner {
 public:
  static constexpr int32_t kVocabSize = 100;
  static constexpr int32_t kStart = 0;
  static constexpr int32_t kEos = 1;
  static constexpr int32_t kBlockTokens = 16;  // of self-attention

  // The token that follows `num_tokens` decoder tokens, including the start
  // token, for `source`.
  using Rule = std::function<int32_t(const std::vector<int32_t>& source,
                                     int32_t num_tokens)>;
  explicit FakeModelRunner(int32_t num_blocks, Rule rule = CopySource)
      : rule_(std::move(rule)),
        sources_(num_blocks),
        self_(int64_t{num_blocks} * kBlockTokens) {}

  // Repeats the source and then returns EOS.
  static int32_t CopySource(const std::vector<int32_t>& source,
                            int32_t num_tokens) {
    const size_t i = num_tokens - 1;
    return i < source.size() ? source[i] : kEos;
  }

  RunnerLimits runner_limits = {.max_sequences = 64, .max_encode_tokens = 2048};
  // Called before each decode step with its batch size, on the engine thread.
  std::function<void(int32_t batch_size)> before_decode = [](int32_t) {};
  // Called by AdvanceEncode() with its arguments.
  std::function<void(EncodePass pass, int64_t token_layers)> before_advance =
      [](EncodePass, int64_t) {};
  // If set, replaces the rule: fills the logits after `tokens` (start token
  // first), which are those that the self K/V blocks hold.
  std::function<void(const std::vector<int32_t>& source,
                     const std::vector<int32_t>& tokens,
                     absl::Span<float> logits)>
      fill_logits;
  // DecodeEntry::attended of the last of `tokens`, which may be outside of the
  // text; null: no entry may ask for it.
  std::function<int32_t(const std::vector<int32_t>& source,
                        const std::vector<int32_t>& tokens)>
      attend;
  int32_t shift = 1;       // alignment_shift()
  int32_t num_copies = 0;  // of blocks
  // Number of calls of AdvanceEncode() until a pass is done.
  int32_t advances_per_pass = 1;
  int32_t advances_per_overtaking_pass = 1;

  int32_t vocab_size() const override { return kVocabSize; }
  absl::Span<const int32_t> eos_token_ids() const override { return eos_; }
  RunnerLimits limits() const override { return runner_limits; }
  int32_t alignment_shift() const override { return shift; }

  void BeginEncode(EncodePass which,
                   absl::Span<const EncodeEntry> entries) override {
    PassState& pass = passes_[static_cast<int>(which)];
    SHEAF_CHECK(pass.entries.empty());
    for (const EncodeEntry& entry : entries) {
      pass.entries.push_back({{entry.source.begin(), entry.source.end()},
                              entry.cross_blocks.front()});
    }
    pass.num_advances = 0;
  }

  bool AdvanceEncode(EncodePass which, int64_t token_layers) override {
    before_advance(which, token_layers);
    PassState& pass = passes_[static_cast<int>(which)];
    SHEAF_CHECK(!pass.entries.empty());
    const int32_t advances = which == EncodePass::kMain
                                 ? advances_per_pass
                                 : advances_per_overtaking_pass;
    if (++pass.num_advances < advances) return false;
    for (const Encoding& each : pass.entries) {
      if (each.block >= 0) sources_[each.block] = each.source;
    }
    pass.entries.clear();
    return true;
  }

  void DropEncode(EncodePass which, int32_t entry_index) override {
    std::vector<Encoding>& entries = passes_[static_cast<int>(which)].entries;
    entries[entry_index].block = -1;
    if (std::all_of(entries.begin(), entries.end(),
                    [](const Encoding& each) { return each.block < 0; })) {
      entries.clear();
    }
  }

  void Decode(absl::Span<const DecodeEntry> entries,
              absl::Span<float> logits) override {
    before_decode(static_cast<int32_t>(entries.size()));
    std::fill(logits.begin(), logits.end(), 0.0f);
    for (size_t i = 0; i < entries.size(); ++i) {
      const std::vector<int32_t>& source =
          sources_[entries[i].cross_blocks.front()];
      SHEAF_CHECK(static_cast<int32_t>(source.size()) == entries[i].source_len);
      const int32_t num_tokens = entries[i].num_computed_tokens +
                                 static_cast<int32_t>(entries[i].tokens.size());
      const std::vector<int32_t> tokens = WriteAndRead(entries[i], num_tokens);
      if (entries[i].attended != nullptr) Attend(entries[i], source, tokens);
      const absl::Span<float> row = logits.subspan(i * kVocabSize, kVocabSize);
      if (fill_logits) {
        fill_logits(source, tokens, row);
      } else {
        row[rule_(source, num_tokens)] = 10.0f;
      }
    }
  }

  void CopySelfBlocks(absl::Span<const BlockCopy> copies) override {
    for (const BlockCopy& copy : copies) {
      std::copy_n(self_.begin() + copy.from * kBlockTokens, kBlockTokens,
                  self_.begin() + copy.to * kBlockTokens);
      ++num_copies;
    }
  }

 private:
  void Attend(const DecodeEntry& entry, const std::vector<int32_t>& source,
              const std::vector<int32_t>& tokens) {
    SHEAF_CHECK(attend != nullptr && 0 <= entry.first_source &&
                entry.first_source < entry.end_source &&
                entry.end_source <= entry.source_len);
    for (size_t j = 0; j < entry.tokens.size(); ++j) {
      const int32_t position = attend(
          source,
          {tokens.begin(), tokens.begin() + entry.num_computed_tokens + j + 1});
      entry.attended[j] =
          std::clamp(position, entry.first_source, entry.end_source - 1);
    }
  }

  // Writes the tokens of the entry to its blocks; returns all tokens up to
  // them.
  std::vector<int32_t> WriteAndRead(const DecodeEntry& entry,
                                    int32_t num_tokens) {
    const auto place = [&](int32_t i) -> int32_t& {
      return self_[entry.self_blocks[i / kBlockTokens] * kBlockTokens +
                   i % kBlockTokens];
    };
    std::vector<int32_t> tokens;
    for (int32_t i = 0; i < num_tokens; ++i) {
      const int32_t fresh = i - entry.num_computed_tokens;
      if (fresh >= 0) place(i) = entry.tokens[fresh];
      tokens.push_back(place(i));
    }
    return tokens;
  }

  struct Encoding {
    std::vector<int32_t> source;
    int32_t block;  // the first of its cross blocks; -1: dropped
  };
  struct PassState {
    std::vector<Encoding> entries;
    int32_t num_advances = 0;
  };

  const Rule rule_;
  const std::vector<int32_t> eos_ = {kEos};
  std::vector<std::vector<int32_t>> sources_;  // by first cross block
  std::vector<int32_t> self_;                  // tokens, by block and place
  PassState passes_[kNumEncodePasses];
};

// A number that depends on the source and all tokens so far.
inline uint32_t HashOf(const std::vector<int32_t>& source,
                       const std::vector<int32_t>& tokens) {
  uint32_t hash = 17;
  for (int32_t id : source) hash = hash * 31 + id;
  for (int32_t id : tokens) hash = hash * 31 + id;
  return hash;
}

// For FakeModelRunner::fill_logits: random logits that depend on the source and
// all tokens so far, with EOS a little preferred.
inline void RandomLogits(const std::vector<int32_t>& source,
                         const std::vector<int32_t>& tokens,
                         absl::Span<float> logits) {
  std::mt19937 rng(HashOf(source, tokens));
  std::normal_distribution<float> normal(0.0f, 1.5f);
  for (float& logit : logits) logit = normal(rng);
  logits[FakeModelRunner::kEos] += 1.0f;
}

}  // namespace sheaf
