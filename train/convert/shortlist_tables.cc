// SPDX-License-Identifier: Apache-2.0

#include "train/convert/shortlist_tables.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <numeric>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "train/common/safetensors_writer.h"
#include "train/tokenize/translation_model.h"

namespace sheaf {
namespace {

// Longer sources say little about which token translates which, and take much
// time.
constexpr size_t kMaxAlignedTokens = 254;

// Rarer translations of the whole text are dropped between iterations.
constexpr double kLeastTrainedProbability = 1e-6;

void SortUnique(std::vector<int32_t>& ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
}

// The `num` ids that occur most often in `lists`, the lower id first among
// equals; those that do not occur are left out.
std::vector<int32_t> MostFrequent(const TokenLists& lists, int32_t vocab_size,
                                  int32_t num) {
  std::vector<int64_t> counts(vocab_size);
  for (absl::Span<const int32_t> list : lists) {
    for (int32_t id : list) ++counts[id];
  }
  std::vector<int32_t> ids(vocab_size);
  std::iota(ids.begin(), ids.end(), 0);
  std::stable_sort(ids.begin(), ids.end(),
                   [&](int32_t a, int32_t b) { return counts[a] > counts[b]; });
  size_t size = 0;
  while (size < ids.size() && size < static_cast<size_t>(num) &&
         counts[ids[size]] > 0) {
    ++size;
  }
  ids.resize(size);
  return ids;
}

struct Translation {
  int32_t target;
  float probability;
};

// By source id, its translations that are likely enough, most likely first.
std::vector<std::vector<Translation>> LikelyTranslations(
    int32_t source_size, const TokenPairs& pairs,
    const ShortlistOptions& options) {
  TranslationModel model({.least_probability = kLeastTrainedProbability});
  const auto num_pairs = static_cast<int64_t>(pairs.sources.size());
  model.Train(num_pairs, [&](int64_t i) -> TokenPair {
    const absl::Span<const int32_t> source = pairs.sources[i];
    const absl::Span<const int32_t> target = pairs.targets[i];
    if (source.size() > kMaxAlignedTokens) return {};
    return {{source.data(), source.size()}, {target.data(), target.size()}};
  });
  std::vector<std::vector<Translation>> translations(source_size);
  model.ForEach([&](int32_t source, int32_t target, float probability) {
    if (probability < options.least_probability) return;
    translations[source].push_back({target, probability});
  });
  for (std::vector<Translation>& each : translations) {
    std::sort(each.begin(), each.end(),
              [](const Translation& a, const Translation& b) {
                return a.probability != b.probability
                           ? a.probability > b.probability
                           : a.target < b.target;
              });
    if (each.size() > static_cast<size_t>(options.per_token)) {
      each.resize(options.per_token);
    }
  }
  return translations;
}

std::string LittleEndian(absl::Span<const int32_t> ids) {
  std::string bytes;
  bytes.reserve(ids.size() * sizeof(int32_t));
  for (int32_t id : ids) {
    for (int i = 0; i < 4; ++i) {
      bytes.push_back(static_cast<char>(static_cast<uint32_t>(id) >> (8 * i)));
    }
  }
  return bytes;
}

std::string FormatBytes(const ShortlistVocabulary& vocabulary) {
  std::string bytes;
  for (const uint64_t value :
       {static_cast<uint64_t>(Shortlist::kVersion),
        static_cast<uint64_t>(vocabulary.source_size),
        static_cast<uint64_t>(vocabulary.size), vocabulary.fingerprint}) {
    for (int i = 0; i < 8; ++i) {
      bytes.push_back(static_cast<char>(value >> (8 * i)));
    }
  }
  return bytes;
}

}  // namespace

ShortlistTables MakeShortlistTables(const ShortlistVocabulary& vocabulary,
                                    const TokenPairs& pairs,
                                    const KnownTokens& known,
                                    const ShortlistOptions& options) {
  ShortlistTables tables;
  tables.common =
      MostFrequent(pairs.targets, vocabulary.size, options.num_frequent);
  tables.common.insert(tables.common.end(), known.always.begin(),
                       known.always.end());
  SortUnique(tables.common);
  const auto is_common = [&](int32_t id) {
    return std::binary_search(tables.common.begin(), tables.common.end(), id);
  };
  const std::vector<std::vector<Translation>> translations =
      LikelyTranslations(vocabulary.source_size, pairs, options);
  tables.offsets.reserve(vocabulary.source_size + 1);
  tables.offsets.push_back(0);
  std::vector<int32_t> targets;
  for (int32_t source = 0; source < vocabulary.source_size; ++source) {
    targets.clear();
    if (known.copies[source] >= 0) targets.push_back(known.copies[source]);
    for (const Translation& each : translations[source]) {
      targets.push_back(each.target);
    }
    SortUnique(targets);
    targets.erase(std::remove_if(targets.begin(), targets.end(), is_common),
                  targets.end());
    tables.targets.insert(tables.targets.end(), targets.begin(), targets.end());
    tables.offsets.push_back(static_cast<int32_t>(tables.targets.size()));
  }
  return tables;
}

absl::Status WriteShortlist(const std::string& path,
                            const ShortlistVocabulary& vocabulary,
                            const ShortlistTables& tables) {
  std::error_code error;
  if (std::filesystem::exists(path, error)) {
    return absl::AlreadyExistsError(absl::StrCat(path, ": exists already"));
  }
  const std::pair<const char*, const std::vector<int32_t>*> kLists[] = {
      {"common", &tables.common},
      {"offsets", &tables.offsets},
      {"targets", &tables.targets}};
  const std::string format = FormatBytes(vocabulary);
  std::vector<TensorToWrite> tensors = {
      {"format",
       "I64",
       {static_cast<int64_t>(format.size() / 8)},
       format.size()}};
  for (const auto& [name, ids] : kLists) {
    tensors.push_back({name,
                       "I32",
                       {static_cast<int64_t>(ids->size())},
                       ids->size() * sizeof(int32_t)});
  }
  SafetensorsWriter writer(path, tensors);
  writer.Append(format.data(), format.size());
  for (const auto& [name, ids] : kLists) {
    const std::string bytes = LittleEndian(*ids);
    writer.Append(bytes.data(), bytes.size());
  }
  const Result<void> written = writer.Finish();
  if (written.ok()) return absl::OkStatus();
  std::remove(path.c_str());
  return absl::InternalError(written.error().message);
}

}  // namespace sheaf
