// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>

#include "server/answer_part.h"
#include "server/served_model.h"
#include "sheaf/v1/model.pb.h"
#include "sheaf/v1/text.pb.h"

// Messages of sheaf.v1 that the server sends, whatever the transport.
namespace sheaf {

// Fills an empty message with a whole answer.
void SetAnswer(const AnswerPart& whole, const AnswerSummary& summary,
               v1::TranslateResponse* response);
void SetAnswer(const AnswerPart& whole, const AnswerSummary& summary,
               v1::SummarizeResponse* response);
void SetAnswer(const AnswerPart& whole, const AnswerSummary& summary,
               v1::GenerateResponse* response);
void SetAnswer(const AnswerPart& whole, const AnswerSummary& summary,
               v1::DetectLanguageResponse* response);

// Fills an empty message with a part of a stream. `summary` is null, except
// with the last part.
void SetChunk(const AnswerPart& part, const AnswerSummary* summary,
              v1::TextChunk* chunk);
void SetChunk(const AnswerPart& part, const AnswerSummary* summary,
              v1::GenerateChunk* chunk);

// Whether a chunk without a summary tells the client nothing. A TextChunk shows
// text only, so it may be empty although tokens are ready.
bool IsEmpty(const v1::TextChunk& chunk);
bool IsEmpty(const v1::GenerateChunk& chunk);

// The description of a model for ModelService.
v1::Model DescriptionOf(const ServedModel& model, int64_t kv_capacity_bytes);

}  // namespace sheaf
