// SPDX-License-Identifier: Apache-2.0

#include "client/translate_document.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/hash.h"
#include "base/usage_error.h"
#include "client/line_pipeline.h"
#include "client/output_lines.h"
#include "nlohmann/json.hpp"

namespace sheaf {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxDocumentBytes = size_t{64} << 20;

// Gives one empty line per unit; the map function knows the units.
class UnitSource : public LineSource {
 public:
  explicit UnitSource(size_t num_units) : num_left_(num_units) {}

  absl::StatusOr<std::optional<std::string>> Next() override {
    if (num_left_ == 0 || is_interrupted_) return std::nullopt;
    --num_left_;
    return std::string();
  }
  void Interrupt() override { is_interrupted_ = true; }

 private:
  size_t num_left_;
  std::atomic<bool> is_interrupted_ = false;
};

// A first line that differs for other units.
std::string HeaderOf(const std::vector<DocumentUnit>& units) {
  uint64_t hash = kFnv1aStart;
  for (const DocumentUnit& unit : units) {
    hash = Fnv1a(absl::StrCat(static_cast<int>(unit.format), ":",
                              unit.text.size(), ":", unit.text),
                 hash);
  }
  return absl::StrCat("sheaf translations ", units.size(), " ",
                      absl::Hex(hash, absl::kZeroPad16));
}

// The translation of a line of JSON.
absl::StatusOr<std::string> ReadTranslation(absl::string_view line) {
  const Json json = Json::parse(line, /*cb=*/nullptr,
                                /*allow_exceptions=*/false);
  if (!json.is_string()) {
    return absl::FailedPreconditionError("a line is not a JSON string");
  }
  return json.get<std::string>();
}

std::string WriteTranslation(const std::string& translation) {
  return Json(translation)
      .dump(/*indent=*/-1, ' ', /*ensure_ascii=*/true,
            Json::error_handler_t::replace);
}

// Translates the units from that with the index translations.size() on, and
// appends the translations. `write` gets them as lines, too.
absl::Status TranslateUnits(
    const DocumentJob& job, const std::vector<DocumentUnit>& units,
    TranslateUnit translate,
    absl::FunctionRef<absl::Status(absl::string_view lines)> write,
    std::vector<std::string>& translations) {
  const auto done = static_cast<int64_t>(translations.size());
  ProgressLine progress(job.progress_fd, static_cast<int64_t>(units.size()),
                        done, "texts");
  progress.Update(done);
  UnitSource source(units.size() - translations.size());
  return MapLines(
      source,
      {.concurrency = job.concurrency, .first_line = done, .item = "text"},
      [&](const std::string&, int64_t number) -> absl::StatusOr<std::string> {
        const DocumentUnit& unit = units[number - 1];
        absl::StatusOr<std::string> translation = translate(unit);
        if (!translation.ok()) {
          return WithPrefix(translation.status(),
                            absl::StrCat("line ", unit.line));
        }
        return WriteTranslation(*translation);
      },
      [&](absl::string_view lines, int64_t num_done) {
        for (absl::string_view line :
             absl::StrSplit(lines, '\n', absl::SkipEmpty())) {
          absl::StatusOr<std::string> translation = ReadTranslation(line);
          if (!translation.ok()) return translation.status();
          translations.push_back(*std::move(translation));
        }
        absl::Status status = write(lines);
        if (status.ok()) progress.Update(num_done);
        return status;
      });
}

absl::Status CheckOutput(const DocumentJob& job) {
  struct stat to, from;
  if (stat(job.output.c_str(), &to) != 0) {
    if (errno == ENOENT) return absl::OkStatus();
    return absl::ErrnoToStatus(errno, absl::StrCat("opening ", job.output));
  }
  if (stat(job.input.c_str(), &from) == 0 && from.st_dev == to.st_dev &&
      from.st_ino == to.st_ino) {
    return absl::FailedPreconditionError(
        absl::StrCat("output ", job.output, " is the input itself"));
  }
  if (!S_ISREG(to.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(
        job.output, " is not a regular file; use stdin and stdout"));
  }
  if (!job.overwrite) {
    return absl::FailedPreconditionError(absl::StrCat(
        "output ", job.output, " exists (--overwrite replaces it)"));
  }
  return absl::OkStatus();
}

// The translations of an earlier run, and the file to which more are appended.
class PartFile {
 public:
  // Takes over the translations of the file if there are any.
  static absl::StatusOr<PartFile> Open(const DocumentJob& job,
                                       const std::vector<DocumentUnit>& units,
                                       std::vector<std::string>& translations) {
    PartFile part(absl::StrCat(job.output, ".part"));
    absl::StatusOr<FileDescriptor> file =
        OpenFile(part.path_, O_RDWR | O_CREAT);
    if (!file.ok()) return file.status();
    part.file_.emplace(*std::move(file));
    absl::StatusOr<struct stat> info =
        StatRegular(part.file_->get(), part.path_);
    if (!info.ok()) return info.status();
    absl::Status status = LockOutput(part.file_->get(), part.path_);
    if (status.ok()) status = part.Read(job, units, translations);
    if (!status.ok()) return status;
    return part;
  }

  absl::Status Write(absl::string_view lines) {
    return Writer(file_->get(), path_).Write(lines);
  }
  void Remove() { unlink(path_.c_str()); }

 private:
  explicit PartFile(std::string path) : path_(std::move(path)) {}

  absl::Status Read(const DocumentJob& job,
                    const std::vector<DocumentUnit>& units,
                    std::vector<std::string>& translations) {
    LineCount done;
    absl::StatusOr<LineCount> count = CountLines(file_->get(), path_);
    if (!count.ok()) return count.status();
    const std::string header = HeaderOf(units);
    // The output of an earlier run may be replaced, but not its translations
    // for the same input.
    if (count->complete > 0) {
      LineReader reader(file_->get(), path_);
      absl::Status status = ReadLines(reader, header, *count, translations);
      if (status.ok() && translations.size() <= units.size()) {
        done = *count;
      } else if (!job.overwrite) {
        return absl::FailedPreconditionError(absl::StrCat(
            path_, " belongs to another input (--overwrite starts again)"));
      } else {
        translations.clear();
      }
    }
    if (ftruncate(file_->get(), done.complete_bytes) != 0 ||
        lseek(file_->get(), done.complete_bytes, SEEK_SET) < 0) {
      return absl::ErrnoToStatus(errno, absl::StrCat("writing ", path_));
    }
    return done.complete > 0 ? absl::OkStatus()
                             : Write(absl::StrCat(header, "\n"));
  }

  static absl::Status ReadLines(LineReader& reader, const std::string& header,
                                const LineCount& count,
                                std::vector<std::string>& translations) {
    for (int64_t i = 0; i < count.complete; ++i) {
      absl::StatusOr<std::optional<std::string>> line = reader.Next();
      if (!line.ok()) return line.status();
      if (i == 0) {
        if (**line != header) return absl::FailedPreconditionError("header");
        continue;
      }
      absl::StatusOr<std::string> translation = ReadTranslation(**line);
      if (!translation.ok()) return translation.status();
      translations.push_back(*std::move(translation));
    }
    return absl::OkStatus();
  }

  std::string path_;
  std::optional<FileDescriptor> file_;
};

absl::Status WriteWhole(const std::string& path, absl::string_view bytes) {
  const std::string temporary = absl::StrCat(path, ".new");
  {
    absl::StatusOr<FileDescriptor> file =
        OpenFile(temporary, O_WRONLY | O_CREAT | O_TRUNC);
    if (!file.ok()) return file.status();
    absl::Status status = Writer(file->get(), temporary).Write(bytes);
    if (!status.ok()) return status;
  }
  if (rename(temporary.c_str(), path.c_str()) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("writing ", path));
  }
  return absl::OkStatus();
}

absl::StatusOr<Document> ReadDocument(const DocumentJob& job,
                                      LineReader& input) {
  absl::StatusOr<std::string> bytes = input.Rest();
  if (!bytes.ok()) return bytes.status();
  const absl::string_view name = job.input.empty() ? "stdin" : job.input;
  if (bytes->size() > kMaxDocumentBytes) {
    return absl::InvalidArgumentError(absl::StrCat(name, " has ", bytes->size(),
                                                   " bytes; a document has at "
                                                   "most ",
                                                   kMaxDocumentBytes));
  }
  absl::StatusOr<Document> document =
      Document::Parse(job.format, *std::move(bytes), job.options);
  if (!document.ok()) {
    return WithPrefix(document.status(),
                      absl::StrCat(name, " (as ", NameOf(job.format), ")"));
  }
  return document;
}

}  // namespace

absl::Status TranslateDocument(const DocumentJob& job, LineReader& input,
                               Writer& out, TranslateUnit translate) {
  if (!job.output.empty()) {
    if (absl::Status status = CheckOutput(job); !status.ok()) return status;
  }
  absl::StatusOr<Document> document = ReadDocument(job, input);
  if (!document.ok()) return document.status();
  const std::vector<DocumentUnit>& units = document->units();
  std::vector<std::string> translations;
  translations.reserve(units.size());
  const absl::string_view name = job.input.empty() ? "stdin" : job.input;

  std::optional<PartFile> part;
  if (!job.output.empty()) {
    absl::StatusOr<PartFile> opened = PartFile::Open(job, units, translations);
    if (!opened.ok()) return opened.status();
    part.emplace(*std::move(opened));
  }
  absl::Status status = TranslateUnits(
      job, units, translate,
      [&](absl::string_view lines) {
        return part ? part->Write(lines) : absl::OkStatus();
      },
      translations);
  if (!status.ok()) return WithPrefix(status, name);
  absl::StatusOr<std::string> written = document->Write(translations);
  if (!written.ok()) return WithPrefix(written.status(), name);
  if (!part) return out.Write(*written);
  status = WriteWhole(job.output, *written);
  if (status.ok()) part->Remove();
  return status;
}

}  // namespace sheaf
