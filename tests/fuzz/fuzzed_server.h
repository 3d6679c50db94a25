// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/kernels/kernels.h"
#include "engine/thread_team.h"
#include "server/caller_glossaries.h"
#include "server/exchange.h"
#include "server/http/completions.h"
#include "server/http/deepl.h"
#include "server/http/file_store.h"
#include "server/http/health.h"
#include "server/http/http_router.h"
#include "server/http/libretranslate.h"
#include "server/http/page.h"
#include "server/http/rest.h"
#include "server/messages.h"
#include "tests/server/fake_model.h"
#include "tests/support/temp_dir.h"

namespace sheaf {

// A runner with the whole vocabulary of sheaf-small. Repeats its source, but
// writes some tokens wrong, so that checks find something.
class WideRunner final : public FakeModelRunner {
 public:
  static constexpr int32_t kWideVocabSize = 8064;

  WideRunner() : FakeModelRunner(FakeModel::kNumBlocks) {
    fill_logits = [this](const std::vector<int32_t>& source,
                         const std::vector<int32_t>& tokens,
                         absl::Span<float>) {
      const int32_t id =
          CopySource(source, static_cast<int32_t>(tokens.size()));
      next_.push_back(id % 13 == 5 ? id + 1 : id);
    };
    // As in FakeModel.
    attend = [](const std::vector<int32_t>&,
                const std::vector<int32_t>& tokens) {
      return static_cast<int32_t>(tokens.size()) - 2;
    };
  }

  int32_t vocab_size() const override { return kWideVocabSize; }

  void Decode(absl::Span<const DecodeEntry> entries,
              absl::Span<float> logits) override {
    next_.clear();
    narrow_.resize(entries.size() * kVocabSize);
    FakeModelRunner::Decode(entries, absl::MakeSpan(narrow_));
    std::fill(logits.begin(), logits.end(), 0.0f);
    for (size_t i = 0; i < entries.size(); ++i) {
      logits[i * kWideVocabSize + static_cast<size_t>(next_[i])] = 10.0f;
    }
  }

 private:
  std::vector<int32_t> next_;  // of each entry
  std::vector<float> narrow_;  // not used
};

// The paths of all dialects, behind which a fake model answers.
class FuzzedServer {
 public:
  // Used by all inputs of a process.
  static FuzzedServer& Get() {
    static auto* const server = new FuzzedServer;
    return *server;
  }

  const HttpRouter& router() const { return router_; }
  Metrics& metrics() { return metrics_; }

 private:
  static constexpr int64_t kMaxBytes = int64_t{1} << 30;
  static constexpr size_t kMaxFileBytes = 1 << 20;

  static ServedModel Served() {
    ServedModel served = FakeModel().served;
    served.source_vocab_size = WideRunner::kWideVocabSize;
    served.vocab_size = WideRunner::kWideVocabSize;
    return served;
  }

  static std::unique_ptr<CallerGlossaries> OpenGlossaries() {
    static const TempDir directory;
    return CallerGlossaries::Open(directory.path(),
                                  {.max_glossaries_of_owner = 20},
                                  [](const absl::Status&) {})
        .value();
  }

  FuzzedServer() {
    AddHealth([] { return true; }, router_);
    AddPage(metrics_, &limiter_, router_);
    const auto files = std::make_shared<FileStore>(kMaxFileBytes);
    AddLibreTranslate(services_, limits_, /*needs_token=*/false, files,
                      router_);
    AddDeepL({&services_, glossaries_.get(), files}, router_);
    AddRest(services_, DescriptionOf(served_, /*kv_capacity_bytes=*/1),
            router_);
    AddCompletions(services_, served_.name, router_);
  }

  const RequestLimits limits_ = {.max_new_tokens = 40, .max_beam_size = 4};
  const ServedModel served_ = Served();
  WideRunner runner_;
  ThreadTeam team_{/*size=*/1};
  CallerLimiter limiter_{/*tokens=*/nullptr, /*max_requests_per_caller=*/0};
  Metrics metrics_{"fake", /*kv_capacity_bytes=*/1};
  const std::unique_ptr<CallerGlossaries> glossaries_ = OpenGlossaries();
  RequestReader reader_{served_, limits_};
  HttpRouter router_;
  WaitCount open_exchanges_;
  WaitCount unfinished_requests_;
  Delivery delivery_;
  Engine engine_{EngineOptions(),
                 team_,
                 kernels::KernelsFor(kernels::Isa::kPortable),
                 {{.runner = &runner_, .kv_shape = FakeModel::KvShape()}}};
  Intake intake_{kMaxBytes, [](int64_t) {}};
  FairExecutor reading_{FairExecutor::Options()};
  const Services services_ = {.engine = &engine_,
                              .delivery = &delivery_,
                              .metrics = &metrics_,
                              .open_exchanges = &open_exchanges_,
                              .unfinished_requests = &unfinished_requests_,
                              .request_reader = &reader_,
                              .reading = &reading_,
                              .limiter = &limiter_,
                              .intake = &intake_,
                              .log = nullptr};
};

}  // namespace sheaf
