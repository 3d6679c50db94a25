// SPDX-License-Identifier: Apache-2.0

#include "server/ops/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "base/version.h"
#include "server/ops/rate_window.h"
#include "tests/support/metrics_text.h"

namespace sheaf {
namespace {

constexpr int64_t kCapacity = 1000;

class MetricsTest : public testing::Test {
 protected:
  double Value(const std::string& series) {
    return MetricValue(metrics_.Scrape(), series);
  }

  MonotonicTime now_;
  Metrics metrics_{"small", kCapacity, [this] { return now_; }};
};

TEST_F(MetricsTest, EverySeriesIsThereFromTheStart) {
  for (const std::string series :
       {"sheaf_kv_cache_bytes{model=\"small\",attention=\"self\","
        "state=\"used\"}",
        "sheaf_kv_cache_bytes{model=\"small\",attention=\"cross\","
        "state=\"reserved\"}",
        "sheaf_kv_cache_usage_ratio{model=\"small\"}",
        "sheaf_num_requests_running{model=\"small\"}",
        "sheaf_num_requests_waiting{model=\"small\"}",
        "sheaf_num_sequences_running{model=\"small\"}",
        "sheaf_num_connections{model=\"small\"}",
        "sheaf_connections_refused_total{model=\"small\"}",
        "sheaf_prompt_tokens_total{model=\"small\"}",
        "sheaf_generation_tokens_total{model=\"small\"}",
        "sheaf_generation_tokens_per_second{model=\"small\"}",
        "sheaf_time_to_first_token_seconds_count{model=\"small\"}",
        "sheaf_inter_token_latency_seconds_count{model=\"small\"}",
        "sheaf_request_queue_time_seconds_count{model=\"small\"}",
        "sheaf_e2e_request_latency_seconds_count{model=\"small\"}",
        "sheaf_step_batch_size_count{model=\"small\"}",
        "sheaf_encode_seconds_count{model=\"small\"}",
        "sheaf_decode_step_seconds_count{model=\"small\"}",
        "sheaf_request_success_total{model=\"small\",finished_reason=\"eos\"}",
        "sheaf_request_success_total{model=\"small\","
        "finished_reason=\"length\"}",
        "sheaf_request_success_total{model=\"small\","
        "finished_reason=\"stop_sequence\"}",
        "sheaf_requests_rejected_total{model=\"small\","
        "reason=\"queue_full\"}",
        "sheaf_requests_rejected_total{model=\"small\",reason=\"draining\"}",
        "sheaf_segments_copied_total{model=\"small\",reason=\"no_letter\"}",
        "sheaf_segments_copied_total{model=\"small\","
        "reason=\"target_language\"}",
        "sheaf_requests_rejected_total{model=\"small\","
        "reason=\"invalid_argument\"}"}) {
    EXPECT_EQ(Value(series), 0) << series;
  }
  EXPECT_EQ(Value("sheaf_kv_cache_capacity_bytes{model=\"small\"}"), kCapacity);
  EXPECT_EQ(Value(absl::StrCat("sheaf_build_info{version=\"", Version(),
                               "\",commit=\"", Commit(), "\",compiler=\"",
                               Compiler(), "\"}")),
            1);
  EXPECT_GT(Value("process_resident_memory_bytes"), 0);
  EXPECT_GT(Value("process_start_time_seconds"), 1e9);
  EXPECT_GT(Value("process_open_fds"), 0);
}

TEST_F(MetricsTest, GaugesStandAsTheLastStepLeftThem) {
  StepStats stats;
  stats.gauges = {.num_requests_running = 2,
                  .num_requests_waiting = 3,
                  .num_sequences_running = 4,
                  .kv = {.self_used = 100,
                         .cross_used = 150,
                         .self_reserved = 300,
                         .cross_reserved = 150,
                         .capacity = kCapacity}};
  metrics_.OnStep(stats);
  const std::string kv = "sheaf_kv_cache_bytes{model=\"small\",";
  EXPECT_EQ(Value(kv + "attention=\"self\",state=\"used\"}"), 100);
  EXPECT_EQ(Value(kv + "attention=\"cross\",state=\"used\"}"), 150);
  EXPECT_EQ(Value(kv + "attention=\"self\",state=\"reserved\"}"), 300);
  EXPECT_EQ(Value(kv + "attention=\"cross\",state=\"reserved\"}"), 150);
  EXPECT_EQ(Value("sheaf_kv_cache_usage_ratio{model=\"small\"}"), 0.25);
  EXPECT_EQ(Value("sheaf_num_requests_running{model=\"small\"}"), 2);
  EXPECT_EQ(Value("sheaf_num_requests_waiting{model=\"small\"}"), 3);
  EXPECT_EQ(Value("sheaf_num_sequences_running{model=\"small\"}"), 4);
}

TEST_F(MetricsTest, CountersAndHistogramsAddUp) {
  StepStats stats;
  stats.encode_seconds = 0.5;
  stats.decode_seconds = 0.25;
  stats.num_decoded_sequences = 3;
  stats.num_prompt_tokens = 11;
  stats.num_generated_tokens = 3;
  stats.time_to_first_token_seconds = {1, 2};
  stats.inter_token_seconds = {0.125};
  stats.queue_seconds = {0.5, 0.5, 0.5};
  stats.e2e_seconds = {4};
  metrics_.OnStep(stats);
  metrics_.OnStep(StepStats());  // encoded and decoded nothing
  const auto sum_and_count = [&](const std::string& name) {
    return std::pair(Value("sheaf_" + name + "_sum{model=\"small\"}"),
                     Value("sheaf_" + name + "_count{model=\"small\"}"));
  };
  EXPECT_EQ(sum_and_count("encode_seconds"), std::pair(0.5, 1.0));
  EXPECT_EQ(sum_and_count("decode_step_seconds"), std::pair(0.25, 1.0));
  EXPECT_EQ(sum_and_count("step_batch_size"), std::pair(3.0, 1.0));
  EXPECT_EQ(sum_and_count("time_to_first_token_seconds"), std::pair(3.0, 2.0));
  EXPECT_EQ(sum_and_count("inter_token_latency_seconds"),
            std::pair(0.125, 1.0));
  EXPECT_EQ(sum_and_count("request_queue_time_seconds"), std::pair(1.5, 3.0));
  EXPECT_EQ(sum_and_count("e2e_request_latency_seconds"), std::pair(4.0, 1.0));
  EXPECT_EQ(Value("sheaf_prompt_tokens_total{model=\"small\"}"), 11);
  EXPECT_EQ(Value("sheaf_generation_tokens_total{model=\"small\"}"), 3);
}

TEST_F(MetricsTest, TokensPerSecondAreThoseOfTheLastTenSeconds) {
  const std::string series =
      "sheaf_generation_tokens_per_second{model=\"small\"}";
  StepStats stats;
  stats.num_generated_tokens = 50;
  metrics_.OnStep(stats);
  EXPECT_EQ(Value(series), 5);
  now_ += absl::Seconds(9);
  metrics_.OnStep(stats);
  EXPECT_EQ(Value(series), 10);
  now_ += absl::Seconds(2);
  EXPECT_EQ(Value(series), 5);
  now_ += absl::Hours(1);
  EXPECT_EQ(Value(series), 0);
}

TEST_F(MetricsTest, RpcsAreCountedByCode) {
  const RpcName rpc = {"sheaf.v1.TextService", "Translate", "unary"};
  const std::string labels =
      "grpc_method=\"Translate\",grpc_service=\"sheaf.v1.TextService\","
      "grpc_type=\"unary\"";
  metrics_.AddRpc(rpc);
  EXPECT_EQ(Value("grpc_server_started_total{" + labels + "}"), 0);
  metrics_.CountRpcStarted(rpc);
  metrics_.CountRpcHandled(rpc, /*code=*/8, /*seconds=*/0.5);
  metrics_.CountRpcHandled(rpc, /*code=*/99, /*seconds=*/0.5);
  EXPECT_EQ(Value("grpc_server_started_total{" + labels + "}"), 1);
  const std::string handled =
      "grpc_server_handled_total{" + labels + ",grpc_code=";
  EXPECT_EQ(Value(handled + "\"ResourceExhausted\"}"), 1);
  EXPECT_EQ(Value(handled + "\"Unknown\"}"), 1);
  EXPECT_EQ(Value(handled + "\"OK\"}"), 0);
  EXPECT_EQ(Value("grpc_server_handling_seconds_sum{" + labels + "}"), 1);
}

TEST_F(MetricsTest, ServesOnAPortOfItsOwnChoice) {
  const absl::StatusOr<int32_t> port = metrics_.Serve({"127.0.0.1", 0});
  ASSERT_TRUE(port.ok()) << port.status();
  EXPECT_GT(*port, 0);
  Metrics second("other", kCapacity);
  const absl::StatusOr<int32_t> taken = second.Serve({"127.0.0.1", *port});
  EXPECT_EQ(taken.status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace sheaf
