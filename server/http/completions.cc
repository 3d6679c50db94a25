// SPDX-License-Identifier: Apache-2.0

#include "server/http/completions.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "nlohmann/json.hpp"
#include "server/field_error.h"
#include "server/http/body_fields.h"
#include "server/http/completions_form.h"
#include "server/http/json_integer.h"
#include "server/http/text_call.h"
#include "server/ops/request_record.h"
#include "sheaf/v1/text.pb.h"

namespace sheaf {
namespace {

using nlohmann::json;

// OpenAI's, if a request has none.
constexpr int32_t kDefaultMaxTokens = 16;

constexpr int64_t kMaxInt32 = std::numeric_limits<int32_t>::max();

absl::Status Wrong(absl::string_view name, absl::string_view what) {
  return WithField(absl::InvalidArgumentError(absl::StrCat(name, " ", what)),
                   name);
}

// Parameters that are offered with one value only, which changes nothing.
absl::Status CheckNotOffered(const json& body) {
  static const std::pair<const char*, json> kOnly[] = {
      {"n", 1},
      {"best_of", 1},
      {"echo", false},
      {"logprobs", nullptr},
      {"suffix", nullptr},
      {"presence_penalty", 0},
      {"frequency_penalty", 0},
      {"logit_bias", json::object()}};
  for (const auto& [name, only] : kOnly) {
    const auto found = body.find(name);
    if (found == body.end() || found->is_null() || *found == only) continue;
    return Wrong(name,
                 absl::StrCat("is not offered; allowed is ", only.dump()));
  }
  return absl::OkStatus();
}

absl::Status CheckNames(const json& body) {
  static constexpr absl::string_view kNames[] = {"model",
                                                 "prompt",
                                                 "max_tokens",
                                                 "temperature",
                                                 "top_p",
                                                 "seed",
                                                 "stop",
                                                 "stream",
                                                 "stream_options",
                                                 "user",
                                                 "n",
                                                 "best_of",
                                                 "echo",
                                                 "logprobs",
                                                 "suffix",
                                                 "logit_bias",
                                                 "presence_penalty",
                                                 "frequency_penalty"};
  for (const auto& [name, value] : body.items()) {
    if (std::find(std::begin(kNames), std::end(kNames), name) ==
        std::end(kNames)) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "\"%s\" is no parameter of this path", Escaped(name)));
    }
  }
  return absl::OkStatus();
}

// The value of a name; null if it is not there.
const json& At(const json& body, const char* name) {
  static const json kNull;
  const auto found = body.find(name);
  return found == body.end() ? kNull : *found;
}

absl::Status ReadPrompt(const json& body, v1::GenerateRequest& request) {
  const json* prompt = &At(body, "prompt");
  // An array of prompts, not of token ids.
  if (prompt->is_array() && prompt->size() == 1 && !(*prompt)[0].is_number()) {
    prompt = &(*prompt)[0];
  }
  if (prompt->is_string()) {
    request.set_text(prompt->get<std::string>());
    return absl::OkStatus();
  }
  if (!prompt->is_array() || prompt->empty()) {
    return Wrong("prompt", "is neither a string nor an array of token ids");
  }
  for (const json& id : *prompt) {
    const std::optional<int64_t> number = JsonInteger(id, 0, kMaxInt32);
    if (!number.has_value()) {
      return Wrong("prompt",
                   "is an array of several strings, or has no token ids; this "
                   "server takes one prompt");
    }
    request.mutable_tokens()->add_ids(static_cast<int32_t>(*number));
  }
  return absl::OkStatus();
}

absl::Status ReadStop(const json& stop, v1::DecodingOptions& options) {
  for (const json& each : stop.is_array() ? stop : json::array({stop})) {
    if (each.is_null()) continue;
    if (!each.is_string()) {
      return Wrong("stop", "is neither a string nor an array of strings");
    }
    options.add_stop(each.get<std::string>());
  }
  return absl::OkStatus();
}

absl::Status ReadOptions(const json& body, v1::DecodingOptions& options) {
  options.set_max_new_tokens(kDefaultMaxTokens);
  if (const json& value = At(body, "max_tokens"); !value.is_null()) {
    const std::optional<int64_t> number = JsonInteger(value, 0, kMaxInt32);
    if (!number.has_value()) {
      return Wrong("max_tokens", "is no number of tokens");
    }
    options.set_max_new_tokens(static_cast<int32_t>(*number));
  }
  if (const json& value = At(body, "temperature"); !value.is_null()) {
    if (!value.is_number()) return Wrong("temperature", "is no number");
    options.set_temperature(value.get<float>());
    // A beam search, which may be the model's default, does not sample.
    if (options.temperature() > 0) options.set_beam_size(1);
  }
  if (const json& value = At(body, "top_p"); !value.is_null()) {
    if (!value.is_number()) return Wrong("top_p", "is no number");
    options.set_top_p(value.get<float>());
  }
  if (const json& value = At(body, "seed"); !value.is_null()) {
    if (!value.is_number_integer()) return Wrong("seed", "is no integer");
    options.set_seed(static_cast<uint64_t>(value.get<int64_t>()));
  }
  return ReadStop(At(body, "stop"), options);
}

// Whether the answer is a stream, and whether that ends with the usage.
absl::Status ReadStream(const json& body, bool& is_stream, bool& has_usage) {
  const json& stream = At(body, "stream");
  if (!stream.is_null() && !stream.is_boolean()) {
    return Wrong("stream", "is neither true nor false");
  }
  is_stream = stream == true;
  const json& options = At(body, "stream_options");
  if (options.is_null()) return absl::OkStatus();
  if (!options.is_object() || !is_stream) {
    return Wrong("stream_options", "is no object, or \"stream\" is not true");
  }
  for (const auto& [name, value] : options.items()) {
    if (name != "include_usage" || !value.is_boolean()) {
      return Wrong("stream_options", "may have a boolean include_usage only");
    }
    has_usage = value == true;
  }
  return absl::OkStatus();
}

absl::StatusOr<TextWork> ReadCompletion(const HttpRequest& http,
                                        const RequestReader* reader,
                                        const std::string& model_name) {
  if (absl::Status status = CheckJsonOnly(http); !status.ok()) return status;
  const absl::StatusOr<BodyFields> fields = ReadBodyFields(http);
  if (!fields.ok()) return fields.status();
  const json& body = fields->values;
  v1::GenerateRequest request;
  const json& model = At(body, "model");
  if (!model.is_null() && !model.is_string()) {
    return Wrong("model", "is no string");
  }
  if (model.is_string()) request.set_model(model.get<std::string>());
  bool is_stream = false, has_usage = false;
  absl::Status status = CheckNames(body);
  status.Update(CheckNotOffered(body));
  status.Update(ReadPrompt(body, request));
  status.Update(ReadOptions(body, *request.mutable_decoding()));
  status.Update(ReadStream(body, is_stream, has_usage));
  if (!status.ok()) return status;
  const CompletionId id = {absl::StrCat("cmpl-", RequestIdOr("")),
                           absl::ToUnixSeconds(absl::Now()), model_name};
  TextWork work;
  work.items.push_back(TextWork::ItemOf(reader, std::move(request)));
  work.answer = [id](const std::vector<TextAnswer>& answers) {
    return CompletionAnswer(id, answers[0]);
  };
  if (is_stream) work.stream = CompletionEvents(id, has_usage);
  return work;
}

}  // namespace

std::function<absl::StatusOr<TextWork>(HttpRequest)> CompletionsReader(
    const RequestReader* reader, const std::string& model_name) {
  return [reader, model_name](const HttpRequest& http) {
    return ReadCompletion(http, reader, model_name);
  };
}

void AddCompletions(const Services& services, const std::string& model_name,
                    HttpRouter& router) {
  AddTextPath(
      "/v1/completions", services,
      {CompletionsReader(services.request_reader, model_name), CompletionError},
      router);
}

}  // namespace sheaf
