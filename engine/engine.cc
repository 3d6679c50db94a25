#include "engine/engine.h"

#include <pthread.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "engine/check.h"
#include "engine/decoding.h"
#include "engine/scheduler.h"

namespace sheaf {
namespace {

// Work of the encoder that a step may do while sequences decode, in tokens
// times layers.
constexpr int64_t kEncodeSliceWhileDecoding = 512;

struct SubmitCommand {
  RequestId id;
  Request request;
  absl::Time arrival;
};
struct CancelCommand {
  RequestId id;
};
struct StopCommand {
  RequestId id;
  int32_t segment_index;
};
using Command = std::variant<SubmitCommand, CancelCommand, StopCommand>;

}  // namespace

// The engine's two halves: what any thread may call, behind mutex_, and what
// the engine thread owns.
class Engine::Loop {
 public:
  Loop(EngineOptions options, const KvPoolShape& kv_shape, ModelRunner& runner,
       ThreadTeam& team, const kernels::Kernels& kernels)
      : options_(std::move(options)),
        limits_{options_.max_sequences, options_.max_encode_tokens},
        runner_(runner),
        team_(team),
        kernels_(kernels),
        pool_(kv_shape),
        scheduler_(limits_, pool_) {
    logits_.resize(int64_t{options_.max_sequences} * runner.vocab_size());
    decode_entries_.reserve(options_.max_sequences);
    decoding_.reserve(options_.max_sequences);
    chosen_.resize(options_.max_sequences);
    scratch_.resize(team.size());
    thread_ = std::thread([this] { Run(); });
    pthread_setname_np(thread_.native_handle(), "sheaf-engine");
  }

  ~Loop() {
    {
      absl::MutexLock lock(&mutex_);
      is_stopping_ = true;
    }
    thread_.join();
  }

  absl::StatusOr<RequestId> Submit(Request request) {
    SHEAF_CHECK(request.sink != nullptr && !request.segments.empty());
    const absl::Status fits =
        Scheduler::CheckFits(request, limits_, pool_.shape());
    if (!fits.ok()) return fits;
    const absl::Time now = options_.now();
    absl::MutexLock lock(&mutex_);
    if (is_draining_ || is_stopping_) {
      return absl::UnavailableError("the server is draining");
    }
    if (num_waiting_ >= options_.max_queue) {
      return absl::ResourceExhaustedError(absl::StrFormat(
          "%d requests wait already; this server queues at most %d",
          num_waiting_, options_.max_queue));
    }
    ++num_waiting_;
    ++num_live_;
    const RequestId id = next_id_++;
    commands_.push_back(SubmitCommand{id, std::move(request), now});
    return id;
  }

  void Send(Command command) {
    absl::MutexLock lock(&mutex_);
    commands_.push_back(std::move(command));
  }

  void Drain() {
    absl::MutexLock lock(&mutex_);
    is_draining_ = true;
  }

  bool WaitUntilIdle(absl::Duration timeout) {
    absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(
        absl::Condition(
            +[](int32_t* num_live) { return *num_live == 0; }, &num_live_),
        timeout);
  }

 private:
  // ---- the engine thread ----

  void Run() {
    while (TakeCommands()) {
      stats_.Clear();
      RunCommands();
      ExpireDeadlines();
      Step();
      Report();
    }
    stats_.Clear();
    for (LiveRequest& live : scheduler_.requests()) ended_.push_back(&live);
    EndAll(absl::CancelledError("the server is stopping"));
    Report();
  }

  // Waits while there is nothing to do. False: the engine is to stop.
  bool TakeCommands() {
    taken_.clear();
    absl::MutexLock lock(&mutex_);
    if (scheduler_.requests().empty()) {
      mutex_.Await(absl::Condition(
          +[](Loop* loop) ABSL_EXCLUSIVE_LOCKS_REQUIRED(loop->mutex_) {
            return loop->is_stopping_ || !loop->commands_.empty();
          },
          this));
    }
    std::swap(taken_, commands_);
    if (!is_stopping_) return true;
    // Requests that were taken but never seen by the scheduler end as well.
    for (Command& command : taken_) {
      if (auto* submit = std::get_if<SubmitCommand>(&command)) {
        scheduler_.Add(submit->id, std::move(submit->request), submit->arrival);
      }
    }
    return false;
  }

  void RunCommands() {
    for (Command& command : taken_) {
      if (auto* submit = std::get_if<SubmitCommand>(&command)) {
        scheduler_.Add(submit->id, std::move(submit->request), submit->arrival);
      } else if (auto* cancel = std::get_if<CancelCommand>(&command)) {
        if (LiveRequest* live = scheduler_.Find(cancel->id)) {
          End(*live, absl::CancelledError("the request was cancelled"));
        }
      } else {
        const StopCommand& stop = std::get<StopCommand>(command);
        StopSegment(stop.id, stop.segment_index);
      }
    }
  }

  void StopSegment(RequestId id, int32_t index) {
    LiveRequest* live = scheduler_.Find(id);
    if (live == nullptr ||
        live->segments[index].state != Segment::State::kDecoding) {
      return;
    }
    FinishSegment(live->segments[index], FinishReason::kStopSequence);
    EndAll(absl::OkStatus());
  }

  void ExpireDeadlines() {
    const absl::Time now = options_.now();
    for (LiveRequest& live : scheduler_.requests()) {
      if (live.request.deadline <= now) ended_.push_back(&live);
    }
    EndAll(absl::DeadlineExceededError("the deadline has passed"));
  }

  void Step() {
    const StepPlan& plan = scheduler_.PlanStep(
        /*may_encode=*/encoding_.empty(), runner_.start_token_id());
    if (!plan.encode.empty()) BeginEncode(plan.encode);
    if (!encoding_.empty()) AdvanceEncode(!plan.decode.empty());
    if (!plan.decode.empty()) Decode(plan.decode);
  }

  void BeginEncode(const std::vector<Segment*>& segments) {
    encode_entries_.clear();
    encoding_ = segments;
    const absl::Time now = options_.now();
    for (Segment* segment : segments) {
      LiveRequest& live = *segment->request;
      const std::vector<int32_t>& source =
          live.request.segments[segment->index];
      encode_entries_.push_back({source, segment->cross_kv.ids()});
      stats_.num_prompt_tokens += static_cast<int32_t>(source.size());
      if (segment->index == 0) {
        stats_.queue_seconds.push_back(
            absl::ToDoubleSeconds(now - live.arrival));
        absl::MutexLock lock(&mutex_);
        --num_waiting_;
      }
    }
    runner_.BeginEncode(encode_entries_);
  }

  void AdvanceEncode(bool is_decoding) {
    const absl::Time begin = options_.now();
    const bool is_done = runner_.AdvanceEncode(
        is_decoding ? kEncodeSliceWhileDecoding
                    : std::numeric_limits<int64_t>::max());
    stats_.encode_seconds = absl::ToDoubleSeconds(options_.now() - begin);
    if (!is_done) return;
    for (Segment* segment : encoding_) {
      if (segment != nullptr) scheduler_.FinishEncode(*segment);
    }
    encoding_.clear();
  }

  void Decode(const std::vector<Segment*>& segments) {
    const absl::Time begin = options_.now();
    decode_entries_.clear();
    decoding_.clear();
    for (Segment* segment : segments) {
      const LiveRequest& live = *segment->request;
      for (Sequence& sequence : segment->sequences) {
        decode_entries_.push_back(
            {absl::MakeConstSpan(sequence.tokens)
                 .subspan(sequence.num_computed_tokens),
             sequence.num_computed_tokens, sequence.self_kv.ids(),
             segment->cross_kv.ids(),
             static_cast<int32_t>(
                 live.request.segments[segment->index].size())});
        decoding_.push_back({segment, &sequence});
      }
    }
    const int64_t vocab_size = runner_.vocab_size();
    runner_.Decode(decode_entries_, absl::MakeSpan(logits_).first(
                                        decoding_.size() * vocab_size));
    team_.Run([&](const ThreadTeam::Member& member) {
      for (size_t i = member.index(); i < decoding_.size();
           i += member.count()) {
        const Request& request = decoding_[i].segment->request->request;
        chosen_[i] = ChooseToken(
            {request.sampling, runner_.eos_token_ids(),
             decoding_[i].sequence->tokens, decoding_[i].segment->index},
            kernels_,
            absl::MakeSpan(logits_).subspan(i * vocab_size, vocab_size),
            scratch_[member.index()]);
      }
    });
    const absl::Time now = options_.now();
    stats_.decode_seconds = absl::ToDoubleSeconds(now - begin);
    stats_.num_decoded_sequences = static_cast<int32_t>(decoding_.size());
    for (size_t i = 0; i < decoding_.size(); ++i) {
      Advance(*decoding_[i].segment, *decoding_[i].sequence, chosen_[i], now);
    }
    EndAll(absl::OkStatus());
  }

  // Appends the chosen token to the sequence, or finishes its segment.
  void Advance(Segment& segment, Sequence& sequence, const ChosenToken& chosen,
               absl::Time now) {
    LiveRequest& live = *segment.request;
    const SamplingParams& sampling = live.request.sampling;
    NoteToken(segment, now);
    if (sequence.num_computed_tokens == 0 && !sampling.target_prefix.empty()) {
      live.request.sink->OnTokens(segment.index, sampling.target_prefix);
    }
    sequence.num_computed_tokens = static_cast<int32_t>(sequence.tokens.size());
    sequence.sum_logprob += chosen.logprob;
    const absl::Span<const int32_t> eos = runner_.eos_token_ids();
    if (std::find(eos.begin(), eos.end(), chosen.id) != eos.end()) {
      return FinishSegment(segment, FinishReason::kEos);
    }
    ++stats_.num_generated_tokens;
    sequence.tokens.push_back(chosen.id);
    live.request.sink->OnTokens(segment.index, {&chosen.id, 1});
    if (sequence.num_new_tokens() >= sampling.max_new_tokens) {
      FinishSegment(segment, FinishReason::kLength);
    }
  }

  void NoteToken(Segment& segment, absl::Time now) {
    LiveRequest& live = *segment.request;
    if (!live.has_token) {
      live.has_token = true;
      stats_.time_to_first_token_seconds.push_back(
          absl::ToDoubleSeconds(now - live.arrival));
    }
    if (segment.last_token != absl::InfinitePast()) {
      stats_.inter_token_seconds.push_back(
          absl::ToDoubleSeconds(now - segment.last_token));
    }
    segment.last_token = now;
  }

  // Hands out what the segment has become; notes its request as ended if it
  // was the last.
  void FinishSegment(Segment& segment, FinishReason reason) {
    LiveRequest& live = *segment.request;
    const Sequence& sequence = segment.sequences.front();
    Hypothesis hypothesis;
    hypothesis.tokens.assign(sequence.tokens.begin() + 1,
                             sequence.tokens.end());
    const int32_t length =
        sequence.num_new_tokens() + (reason == FinishReason::kEos ? 1 : 0);
    hypothesis.score = static_cast<float>(
        sequence.sum_logprob /
        std::pow(std::max(length, 1),
                 double{live.request.sampling.length_penalty}));
    hypothesis.finish_reason = reason;
    live.was_cut |= reason == FinishReason::kLength;
    live.last_reason = reason;
    std::vector<Hypothesis> hypotheses;
    hypotheses.push_back(std::move(hypothesis));
    live.request.sink->OnSegmentFinished(segment.index, std::move(hypotheses));
    scheduler_.FinishSegment(segment);
    if (live.num_finished == static_cast<int32_t>(live.segments.size())) {
      ended_.push_back(&live);
    }
  }

  void EndAll(const absl::Status& status) {
    for (LiveRequest* live : ended_) End(*live, status);
    ended_.clear();
  }

  // Frees all of a request; Report() tells its sink.
  void End(LiveRequest& live, const absl::Status& status) {
    for (size_t i = 0; i < encoding_.size(); ++i) {
      if (encoding_[i] != nullptr && encoding_[i]->request == &live) {
        runner_.DropEncode(static_cast<int32_t>(i));
        encoding_[i] = nullptr;
      }
    }
    if (status.ok()) {
      stats_.e2e_seconds.push_back(
          absl::ToDoubleSeconds(options_.now() - live.arrival));
      stats_.finish_reasons.push_back(live.was_cut ? FinishReason::kLength
                                                   : live.last_reason);
    }
    const bool was_waiting = live.num_admitted == 0;
    finished_.push_back({live.request.sink, status, was_waiting});
    scheduler_.Remove(live);
  }

  // Publishes the step, then tells the sinks whose requests ended: who hears of
  // an end finds it in the figures.
  void Report() {
    stats_.gauges = scheduler_.gauges();
    options_.on_step(stats_);
    for (const Finished& each : finished_) {
      each.sink->OnFinished(each.status);
      absl::MutexLock lock(&mutex_);
      --num_live_;
      if (each.was_waiting) --num_waiting_;
    }
    finished_.clear();
  }

  struct Finished {
    TokenSink* sink;
    absl::Status status;
    bool was_waiting;
  };
  struct Decoding {
    Segment* segment;
    Sequence* sequence;
  };

  const EngineOptions options_;
  const SchedulerLimits limits_;
  ModelRunner& runner_;
  ThreadTeam& team_;
  const kernels::Kernels& kernels_;

  absl::Mutex mutex_;
  std::vector<Command> commands_ ABSL_GUARDED_BY(mutex_);
  RequestId next_id_ ABSL_GUARDED_BY(mutex_) = 1;
  int32_t num_waiting_ ABSL_GUARDED_BY(mutex_) = 0;  // requests
  int32_t num_live_ ABSL_GUARDED_BY(mutex_) = 0;
  bool is_draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_stopping_ ABSL_GUARDED_BY(mutex_) = false;

  // The engine thread's, from here on. The vectors are reused from step to
  // step and sized at start, so that a step allocates nothing.
  std::vector<Command> taken_;
  KvBlockPool pool_;
  Scheduler scheduler_;
  std::vector<Segment*> encoding_;  // the pass under way; null: dropped
  std::vector<EncodeEntry> encode_entries_;
  std::vector<DecodeEntry> decode_entries_;
  std::vector<Decoding> decoding_;        // beside decode_entries_
  std::vector<float> logits_;             // [max_sequences, vocab_size]
  std::vector<ChosenToken> chosen_;       // [max_sequences]
  std::vector<DecodingScratch> scratch_;  // one a member of the team
  std::vector<LiveRequest*> ended_;       // to be ended together
  std::vector<Finished> finished_;        // to be told
  StepStats stats_;

  std::thread thread_;  // last: it uses all of the above
};

Engine::Engine(EngineOptions options, const KvPoolShape& kv_shape,
               ModelRunner& runner, ThreadTeam& team,
               const kernels::Kernels& kernels)
    : loop_(std::make_unique<Loop>(std::move(options), kv_shape, runner, team,
                                   kernels)) {}
Engine::~Engine() = default;

absl::StatusOr<RequestId> Engine::Submit(Request request) {
  return loop_->Submit(std::move(request));
}
void Engine::Cancel(RequestId id) { loop_->Send(CancelCommand{id}); }
void Engine::StopSegment(RequestId id, int32_t segment_index) {
  loop_->Send(StopCommand{id, segment_index});
}
void Engine::Drain() { loop_->Drain(); }
bool Engine::WaitUntilIdle(absl::Duration timeout) {
  return loop_->WaitUntilIdle(timeout);
}

}  // namespace sheaf
