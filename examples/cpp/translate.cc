// SPDX-License-Identifier: Apache-2.0

#include <cstdio>

#include "client/client.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  absl::StatusOr<sheaf::Client> client =
      sheaf::Client::Connect({.server = argv[1]});
  if (!client.ok()) return 2;
  const sheaf::CallOptions in_time = {.timeout = absl::Seconds(10)};
  const auto models = client->ListModels(in_time);
  if (models.ok()) std::printf("%s\n", models->models(0).name().c_str());

  sheaf::v1::TranslateRequest request;
  request.set_text("Where is the train station?");
  request.set_source_language("en");
  request.set_target_language("de");
  const auto answer = client->Translate(request, in_time);
  if (answer.ok()) std::printf("%s\n", answer->text().c_str());

  const auto end = client->TranslateStream(
      request,
      [](const sheaf::v1::TextChunk& chunk) {
        std::printf("%s", chunk.text().c_str());
        return true;  // false leaves the stream
      },
      in_time);
  if (end.ok()) std::printf("\n%d tokens\n", end->usage.output_tokens());

  request.set_target_language("xx");
  const absl::Status error = client->Translate(request, in_time).status();
  std::printf("%s\n", error.ToString().c_str());
}
