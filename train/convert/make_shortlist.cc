// SPDX-License-Identifier: Apache-2.0

#include "train/convert/make_shortlist.h"

#include <utility>
#include <vector>

#include "text/families.h"
#include "text/vocabulary_fingerprint.h"
#include "train/convert/shortlist_text.h"
#include "train/data/text_pairs.h"

namespace sheaf {
namespace {

ShortlistSummary Summarize(const Shortlist& shortlist,
                           const TokenPairs& pairs) {
  std::vector<int64_t> allowed_in(shortlist.vocabulary().size, -1);
  int64_t num_allowed = 0, num_tokens = 0, num_covered = 0;
  const auto num_pairs = static_cast<int64_t>(pairs.sources.size());
  for (int64_t i = 0; i < num_pairs; ++i) {
    const auto allow = [&](absl::Span<const int32_t> ids) {
      for (int32_t id : ids) {
        num_allowed += allowed_in[id] != i;
        allowed_in[id] = i;
      }
    };
    allow(shortlist.common());
    for (int32_t token : pairs.sources[i]) allow(shortlist.TargetsOf(token));
    for (int32_t id : pairs.targets[i]) {
      ++num_tokens;
      num_covered += allowed_in[id] == i;
    }
  }
  return {num_pairs, static_cast<int64_t>(shortlist.common().size()),
          static_cast<double>(num_allowed) / static_cast<double>(num_pairs),
          num_tokens == 0 ? 1.0
                          : static_cast<double>(num_covered) /
                                static_cast<double>(num_tokens)};
}

}  // namespace

absl::StatusOr<ShortlistSummary> MakeShortlist(
    const ModelDescription& description, const std::string& pairs,
    const std::string& output, const ShortlistOptions& options) {
  const Architecture& architecture = description.architecture;
  const absl::StatusOr<const TextFamily*> family =
      FindTextFamily(description.files);
  if (!family.ok()) return family.status();
  const absl::StatusOr<Tokenizers> tokenizers =
      (*family)->load(description.files, architecture.source_vocab_size,
                      architecture.vocab_size);
  if (!tokenizers.ok()) return tokenizers.status();
  const absl::StatusOr<std::vector<TextPair>> texts =
      ReadTextPairFile(pairs, /*max_references=*/1);
  if (!texts.ok()) return texts.status();
  const ShortlistVocabulary vocabulary = {
      .source_size = architecture.source_vocab_size,
      .size = architecture.vocab_size,
      .fingerprint = VocabularyFingerprint(*tokenizers)};
  const TokenPairs tokens = TokensOf(*tokenizers, *texts);
  const ShortlistTables tables =
      MakeShortlistTables(vocabulary, tokens,
                          KnownTokensOf(*tokenizers, vocabulary,
                                        architecture.tokens.eos_ids, *texts),
                          options);
  const absl::StatusOr<Shortlist> shortlist =
      Shortlist::Make(output, vocabulary, tables);
  if (!shortlist.ok()) return shortlist.status();
  const absl::Status written = WriteShortlist(output, vocabulary, tables);
  if (!written.ok()) return written;
  return Summarize(*shortlist, tokens);
}

}  // namespace sheaf
