// SPDX-License-Identifier: Apache-2.0

#include "train/common/token_file.h"

#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string_view>

#include "base/hash.h"

namespace sheaf {
namespace {

static_assert(std::endian::native == std::endian::little,
              "ids are written as they lie in memory");

constexpr char kMagic[8] = {'S', 'H', 'E', 'A', 'F', 'T', 'O', 'K'};
constexpr uint32_t kVersion = 1;
constexpr uint64_t kMaxIds = uint64_t{1} << 34;

struct Header {
  char magic[8];
  uint32_t version;
  uint32_t vocab_size;
  uint64_t num_pairs;
  uint64_t num_ids;
  uint64_t checksum;
};
static_assert(sizeof(Header) == 40);

struct Closer {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, Closer>;

// The hash of everything after the header.
uint64_t Checksum(const std::vector<uint16_t>& lengths,
                  const std::vector<uint16_t>& ids,
                  const std::vector<uint8_t>& alignment) {
  const auto bytes = [](const auto& values) {
    return std::string_view(reinterpret_cast<const char*>(values.data()),
                            values.size() * sizeof(values[0]));
  };
  return Fnv1a(bytes(alignment), Fnv1a(bytes(ids), Fnv1a(bytes(lengths))));
}

template <typename T>
bool ReadAll(std::FILE* file, std::vector<T>& values) {
  return values.empty() || std::fread(values.data(), sizeof(T), values.size(),
                                      file) == values.size();
}

template <typename T>
bool WriteAll(std::FILE* file, const std::vector<T>& values) {
  return values.empty() || std::fwrite(values.data(), sizeof(T), values.size(),
                                       file) == values.size();
}

}  // namespace

TokenFile::Pair TokenFile::at(int64_t index) const {
  const Place& place = pairs_[index];
  const uint16_t* ids = ids_.data() + place.ids_at;
  return {{ids, place.source_len},
          {ids + place.source_len, place.target_len},
          {alignment_.data() + place.alignment_at, place.target_len}};
}

void TokenFile::AddPlace(uint16_t source_len, uint16_t target_len) {
  pairs_.push_back(
      {num_placed_ids_, num_placed_alignments_, source_len, target_len});
  num_placed_ids_ += source_len + target_len;
  num_placed_alignments_ += target_len;
}

void TokenFile::Add(const std::vector<int32_t>& source,
                    const std::vector<int32_t>& target) {
  AddPlace(static_cast<uint16_t>(source.size()),
           static_cast<uint16_t>(target.size()));
  ids_.insert(ids_.end(), source.begin(), source.end());
  ids_.insert(ids_.end(), target.begin(), target.end());
  alignment_.resize(num_placed_alignments_, kUnaligned);
}

void TokenFile::SetAlignment(int64_t index,
                             const std::vector<uint8_t>& alignment) {
  std::memcpy(alignment_.data() + pairs_[index].alignment_at, alignment.data(),
              alignment.size());
}

Result<void> TokenFile::Write(const std::string& path) const {
  std::vector<uint16_t> lengths;
  lengths.reserve(2 * pairs_.size());
  for (const Place& place : pairs_) {
    lengths.push_back(place.source_len);
    lengths.push_back(place.target_len);
  }
  Header header = {{},
                   kVersion,
                   static_cast<uint32_t>(vocab_size_),
                   pairs_.size(),
                   ids_.size(),
                   Checksum(lengths, ids_, alignment_)};
  std::memcpy(header.magic, kMagic, sizeof(kMagic));
  File file(std::fopen(path.c_str(), "wb"));
  if (file == nullptr) return Error{path + ": " + std::strerror(errno)};
  const bool is_written =
      std::fwrite(&header, sizeof(header), 1, file.get()) == 1 &&
      WriteAll(file.get(), lengths) && WriteAll(file.get(), ids_) &&
      WriteAll(file.get(), alignment_) && std::fflush(file.get()) == 0;
  if (!is_written) return Error{path + ": " + std::strerror(errno)};
  return {};
}

Result<TokenFile> TokenFile::Read(const std::string& path) {
  const auto broken = [&path](const std::string& rule) {
    return Error{path + ": " + rule};
  };
  File file(std::fopen(path.c_str(), "rb"));
  if (file == nullptr) return broken(std::strerror(errno));
  std::fseek(file.get(), 0, SEEK_END);
  const uint64_t size = static_cast<uint64_t>(std::ftell(file.get()));
  std::rewind(file.get());
  Header header;
  if (size < sizeof(header) ||
      std::fread(&header, sizeof(header), 1, file.get()) != 1 ||
      std::memcmp(header.magic, kMagic, sizeof(kMagic)) != 0) {
    return broken("is not a token file");
  }
  if (header.version != kVersion) {
    return broken("version is " + std::to_string(header.version) +
                  "; this program reads version " + std::to_string(kVersion));
  }
  if (header.vocab_size == 0 || header.vocab_size > kMaxVocab ||
      header.num_pairs > kMaxIds || header.num_ids > kMaxIds ||
      size - sizeof(header) < 4 * header.num_pairs + 2 * header.num_ids) {
    return broken("is cut short, or its header is broken");
  }
  std::vector<uint16_t> lengths(2 * header.num_pairs);
  TokenFile read(static_cast<int32_t>(header.vocab_size));
  read.ids_.resize(header.num_ids);
  read.alignment_.resize(size - sizeof(header) - 4 * header.num_pairs -
                         2 * header.num_ids);
  if (!ReadAll(file.get(), lengths) || !ReadAll(file.get(), read.ids_) ||
      !ReadAll(file.get(), read.alignment_)) {
    return broken("cannot be read");
  }
  if (Checksum(lengths, read.ids_, read.alignment_) != header.checksum) {
    return broken("checksum is wrong");
  }
  for (size_t i = 0; i < lengths.size(); i += 2) {
    if (lengths[i] == 0 || lengths[i + 1] == 0) {
      return broken("pair " + std::to_string(i / 2) + " has an empty side");
    }
    read.AddPlace(lengths[i], lengths[i + 1]);
  }
  if (read.num_placed_ids_ != read.ids_.size() ||
      read.num_placed_alignments_ != read.alignment_.size()) {
    return broken("the lengths of the pairs do not add up to the file's");
  }
  for (const uint16_t id : read.ids_) {
    if (id >= header.vocab_size) {
      return broken("id " + std::to_string(id) + " is not below vocab_size " +
                    std::to_string(header.vocab_size));
    }
  }
  return read;
}

}  // namespace sheaf
