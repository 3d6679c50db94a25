// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "grpcpp/grpcpp.h"
#include "sheaf/v1/model.grpc.pb.h"
#include "sheaf/v1/text.grpc.pb.h"

namespace sheaf {

// A server in the test's own process, on a port that the system picks. It
// answers a text with the same in capitals, streams word by word, answers token
// ids with each id plus one, and serves one model, "fake". Texts with a
// meaning:
//   "fail"     RESOURCE_EXHAUSTED "the queue is full"
//   "hang"     no answer until the fake is destroyed
//   "endless"  streamed: words until the client leaves
//   "long"     at its beginning: the answer is cut at the maximum length
//   "again"    at its beginning: the answer is cut because it repeats itself
class FakeServer : public v1::TextService::Service,
                   public v1::ModelService::Service {
 public:
  FakeServer() {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterService(static_cast<v1::TextService::Service*>(this));
    builder.RegisterService(static_cast<v1::ModelService::Service*>(this));
    server_ = builder.BuildAndStart();
    address_ = absl::StrCat("127.0.0.1:", port);
  }

  ~FakeServer() override {
    stop_.Notify();
    server_->Shutdown();
    server_->Wait();
  }

  const std::string& address() const { return address_; }

  // The next `n` requests for a text are refused, as by a full server that
  // pushes back for a millisecond.
  void RefuseNext(int n) {
    absl::MutexLock lock(&mutex_);
    num_to_refuse_ = n;
  }

  // From now on Translate holds requests until `size` of them are there, then
  // answers these last one first. REQUIRES: the client sends groups of `size`.
  void ReverseGroupsOf(int size) {
    absl::MutexLock lock(&mutex_);
    group_size_ = size;
    num_arrived_ = num_left_ = 0;
  }

  std::vector<v1::TranslateRequest> translate_requests() {
    absl::MutexLock lock(&mutex_);
    return translate_requests_;
  }
  std::vector<v1::GenerateRequest> generate_requests() {
    absl::MutexLock lock(&mutex_);
    return generate_requests_;
  }

  // Of the last Translate; empty if it had none.
  std::string authorization() {
    absl::MutexLock lock(&mutex_);
    return authorization_;
  }

  // Notified when a client left an endless stream.
  absl::Notification& client_left() { return client_left_; }

  grpc::Status Translate(grpc::ServerContext* context,
                         const v1::TranslateRequest* request,
                         v1::TranslateResponse* response) override {
    {
      absl::MutexLock lock(&mutex_);
      translate_requests_.push_back(*request);
      const auto it = context->client_metadata().find("authorization");
      authorization_ = it == context->client_metadata().end()
                           ? ""
                           : std::string(it->second.data(), it->second.size());
    }
    WaitForTurn();
    if (IsFull()) {
      context->AddTrailingMetadata("grpc-retry-pushback-ms", "1");
      return {grpc::StatusCode::RESOURCE_EXHAUSTED, "come back"};
    }
    if (const grpc::Status status = Refuse(request->text()); !status.ok()) {
      return status;
    }
    response->set_text(absl::AsciiStrToUpper(request->text()));
    response->set_finish_reason(ReasonOf(request->text()));
    *response->mutable_usage() = UsageOf(request->text());
    response->set_model("fake");
    if (request->source_language() == "auto") {
      response->mutable_detected_language()->set_language("en");
      response->mutable_detected_language()->set_confidence(0.75f);
    }
    if (request->return_segments()) {
      v1::SegmentReport* report = response->add_segments();
      report->mutable_source()->set_end(3);
      report->mutable_target()->set_begin(1);
      report->mutable_target()->set_end(4);
      report->set_mean_logprob(-0.5f);
      report->add_warnings(v1::SEGMENT_WARNING_NUMBER);
    }
    for (int i = 0; i < request->decoding().num_hypotheses(); ++i) {
      v1::Hypothesis* alternative = response->add_alternatives();
      alternative->set_text(absl::StrCat(response->text(), i));
      alternative->set_score(-0.5f - i);
      alternative->set_finish_reason(v1::FINISH_REASON_EOS);
    }
    return grpc::Status::OK;
  }

  grpc::Status TranslateStream(
      grpc::ServerContext*, const v1::TranslateRequest* request,
      grpc::ServerWriter<v1::TextChunk>* writer) override {
    {
      absl::MutexLock lock(&mutex_);
      translate_requests_.push_back(*request);
    }
    return StreamText(request->text(), writer);
  }

  grpc::Status Summarize(grpc::ServerContext*,
                         const v1::SummarizeRequest* request,
                         v1::SummarizeResponse* response) override {
    if (const grpc::Status status = Refuse(request->text()); !status.ok()) {
      return status;
    }
    response->set_text(absl::AsciiStrToUpper(request->text()));
    response->set_finish_reason(v1::FINISH_REASON_LENGTH);
    *response->mutable_usage() = UsageOf(request->text());
    response->set_model("fake");
    return grpc::Status::OK;
  }

  grpc::Status SummarizeStream(
      grpc::ServerContext*, const v1::SummarizeRequest* request,
      grpc::ServerWriter<v1::TextChunk>* writer) override {
    return StreamText(request->text(), writer);
  }

  grpc::Status Generate(grpc::ServerContext*,
                        const v1::GenerateRequest* request,
                        v1::GenerateResponse* response) override {
    {
      absl::MutexLock lock(&mutex_);
      generate_requests_.push_back(*request);
    }
    if (const grpc::Status status = Refuse(request->text()); !status.ok()) {
      return status;
    }
    v1::Hypothesis* best = response->add_hypotheses();
    best->set_text(absl::AsciiStrToUpper(request->text()));
    for (const int32_t id : request->tokens().ids()) {
      best->mutable_tokens()->add_ids(id + 1);
    }
    best->set_finish_reason(ReasonOf(request->text()));
    response->set_model("fake");
    return grpc::Status::OK;
  }

  grpc::Status GenerateStream(
      grpc::ServerContext*, const v1::GenerateRequest* request,
      grpc::ServerWriter<v1::GenerateChunk>* writer) override {
    {
      absl::MutexLock lock(&mutex_);
      generate_requests_.push_back(*request);
    }
    for (const int32_t id : request->tokens().ids()) {
      v1::GenerateChunk chunk;
      chunk.mutable_tokens()->add_ids(id + 1);
      writer->Write(chunk);
    }
    for (absl::string_view word :
         absl::StrSplit(request->text(), ' ', absl::SkipEmpty())) {
      v1::GenerateChunk chunk;
      chunk.set_text(absl::StrCat(absl::AsciiStrToUpper(word), " "));
      writer->Write(chunk);
    }
    v1::GenerateChunk last;
    last.set_finish_reason(ReasonOf(request->text()));
    last.mutable_usage()->set_output_tokens(request->tokens().ids_size());
    writer->Write(last);
    return grpc::Status::OK;
  }

  // Each text is in the language that its first two letters name; others are in
  // none.
  grpc::Status DetectLanguage(grpc::ServerContext*,
                              const v1::DetectLanguageRequest* request,
                              v1::DetectLanguageResponse* response) override {
    for (const std::string& text : request->texts()) {
      if (const grpc::Status status = Refuse(text); !status.ok()) return status;
      v1::DetectedLanguages* result = response->add_results();
      if (text.size() < 2) continue;
      v1::DetectedLanguage* best = result->add_languages();
      best->set_language(text.substr(0, 2));
      best->set_confidence(request->target_language().empty() ? 0.875f : 0.5f);
    }
    response->set_model("fake");
    return grpc::Status::OK;
  }

  grpc::Status ListModels(grpc::ServerContext*, const v1::ListModelsRequest*,
                          v1::ListModelsResponse* response) override {
    *response->add_models() = FakeModel();
    return grpc::Status::OK;
  }

  grpc::Status GetModel(grpc::ServerContext*,
                        const v1::GetModelRequest* request,
                        v1::Model* response) override {
    if (request->name() != "fake") {
      return {grpc::StatusCode::NOT_FOUND,
              absl::StrCat("model \"", request->name(), "\" is not served")};
    }
    *response = FakeModel();
    return grpc::Status::OK;
  }

 private:
  static v1::FinishReason ReasonOf(absl::string_view text) {
    if (absl::StartsWith(text, "long")) return v1::FINISH_REASON_LENGTH;
    if (absl::StartsWith(text, "again")) return v1::FINISH_REASON_REPETITION;
    return v1::FINISH_REASON_EOS;
  }

  static v1::Model FakeModel() {
    v1::Model model;
    model.set_name("fake");
    model.add_warnings("num_beam is unknown");
    model.set_num_parameters(77'000'000);
    model.set_num_query_heads(8);
    model.set_num_kv_heads(2);
    model.set_num_cross_kv_heads(4);
    model.set_weight_type("int8");
    model.set_weight_bytes(80 << 20);
    model.add_tasks("translation_en_to_de");
    return model;
  }

  static v1::Usage UsageOf(const std::string& text) {
    const std::vector<std::string> words =
        absl::StrSplit(text, ' ', absl::SkipEmpty());
    v1::Usage usage;
    usage.set_input_tokens(static_cast<int32_t>(words.size()));
    usage.set_output_tokens(static_cast<int32_t>(words.size()));
    usage.set_segments(1);
    return usage;
  }

  bool IsFull() {
    absl::MutexLock lock(&mutex_);
    return num_to_refuse_ > 0 && num_to_refuse_-- > 0;
  }

  grpc::Status Refuse(const std::string& text) {
    if (text == "fail") {
      return {grpc::StatusCode::RESOURCE_EXHAUSTED, "the queue is full"};
    }
    if (text == "hang") stop_.WaitForNotification();
    return grpc::Status::OK;
  }

  grpc::Status StreamText(const std::string& text,
                          grpc::ServerWriter<v1::TextChunk>* writer) {
    if (const grpc::Status status = Refuse(text); !status.ok()) return status;
    v1::TextChunk chunk;
    chunk.set_text("word ");
    while (text == "endless" && writer->Write(chunk)) {
    }
    if (text == "endless") {
      client_left_.Notify();
      return grpc::Status::CANCELLED;
    }
    const std::vector<std::string> words = absl::StrSplit(text, ' ');
    for (size_t i = 0; i < words.size(); ++i) {
      chunk.set_text(
          absl::StrCat(i == 0 ? "" : " ", absl::AsciiStrToUpper(words[i])));
      if (i + 1 == words.size()) {
        chunk.set_finish_reason(ReasonOf(text));
        *chunk.mutable_usage() = UsageOf(text);
      }
      writer->Write(chunk);
    }
    return grpc::Status::OK;
  }

  void WaitForTurn() {
    absl::MutexLock lock(&mutex_);
    if (group_size_ == 0) return;
    const int place = num_arrived_++;
    const int group = place / group_size_;
    const int turn =
        group * group_size_ + group_size_ - 1 - place % group_size_;
    const auto is_turn = [&] {
      return num_arrived_ >= (group + 1) * group_size_ && num_left_ == turn;
    };
    mutex_.Await(absl::Condition(&is_turn));
    ++num_left_;
  }

  absl::Mutex mutex_;
  std::vector<v1::TranslateRequest> translate_requests_;
  std::vector<v1::GenerateRequest> generate_requests_;
  std::string authorization_;
  int num_to_refuse_ = 0;
  int group_size_ = 0;
  int num_arrived_ = 0;
  int num_left_ = 0;

  absl::Notification stop_;
  absl::Notification client_left_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

}  // namespace sheaf
