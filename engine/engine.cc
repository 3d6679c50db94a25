#include "engine/engine.h"

#include <pthread.h>

#include <algorithm>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_format.h"
#include "base/check.h"
#include "base/timed_mutex.h"
#include "engine/decode_step.h"
#include "engine/scheduler.h"

namespace sheaf {
namespace {

// Work of the encoder at a time, in tokens times layers. Nobody decodes: so
// much that it costs nothing to look for commands in between. The first time
// beside others: little, for how long it takes is not known.
constexpr int64_t kEncodeSliceAlone = 4096;
constexpr int64_t kFirstEncodeSlice = 64;
// While sequences decode, the encoder may take so many times of what a decode
// step takes: then the time between their tokens grows to little over twice.
constexpr double kEncodeShare = 1.2;
// A pass may overtake one of at least so many times its tokens, if it may have
// this many at all: below, the weights are read for too few.
constexpr int32_t kOvertakeRatio = 4;
constexpr int32_t kLeastOvertakingTokens = 64;

struct SubmitCommand {
  RequestId id;
  Request request;
  MonotonicTime arrival;
};
struct CancelCommand {
  RequestId id;
};
struct ExtendCommand {
  RequestId id;
  Extension extension;
};
using Command = std::variant<SubmitCommand, CancelCommand, ExtendCommand>;

}  // namespace

// The engine's two halves: what any thread may call, behind mutex_, and what
// the engine thread owns.
class Engine::Loop {
 public:
  Loop(EngineOptions options, const KvPoolShape& kv_shape, ModelRunner& runner,
       ThreadTeam& team, const kernels::Kernels& kernels)
      : options_(std::move(options)),
        runner_(runner),
        pool_(kv_shape),
        scheduler_(options_.max_sequences, pool_),
        decode_step_(options_.max_sequences, runner, team, kernels,
                     options_.utf8_rule.get(), scheduler_, stats_) {
    thread_ = std::thread([this] { Run(); });
    pthread_setname_np(thread_.native_handle(), "sheaf-engine");
  }

  ~Loop() {
    {
      TimedMutexLock lock(&mutex_);
      is_stopping_ = true;
    }
    thread_.join();
  }

  absl::StatusOr<RequestId> Submit(Request request) {
    SHEAF_CHECK(request.sink != nullptr && !request.segments.empty());
    const absl::Status fits =
        Scheduler::CheckFits(request, options_.max_sequences, pool_.shape());
    if (!fits.ok()) return fits;
    const MonotonicTime now = options_.now();
    TimedMutexLock lock(&mutex_);
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
    TimedMutexLock lock(&mutex_);
    commands_.push_back(std::move(command));
  }

  void Drain() {
    TimedMutexLock lock(&mutex_);
    is_draining_ = true;
  }

  bool WaitUntilIdle(absl::Duration timeout) {
    TimedMutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout([this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(
                                       mutex_) { return num_live_ == 0; },
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
    TimedMutexLock lock(&mutex_);
    if (!scheduler_.has_work()) {
      mutex_.AwaitWithTimeout(
          [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
            return is_stopping_ || !commands_.empty();
          },
          TimeToDeadline());
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

  // Of the open requests that wait to be extended.
  absl::Duration TimeToDeadline() {
    MonotonicTime first = MonotonicTime::InfiniteFuture();
    for (const LiveRequest& live : scheduler_.requests()) {
      first = std::min(first, live.request.deadline);
    }
    return first - options_.now();
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
        Extend(std::get<ExtendCommand>(command));
      }
    }
  }

  void Extend(ExtendCommand& command) {
    LiveRequest* live = scheduler_.Find(command.id);
    if (live == nullptr) return;
    scheduler_.Extend(*live, command.extension.segments);
    live->request.is_open = command.extension.is_open;
    live->request.stop = std::move(command.extension.stop);
    if (live->has_ended()) End(*live, absl::OkStatus());
  }

  void ExpireDeadlines() {
    const MonotonicTime now = options_.now();
    for (LiveRequest& live : scheduler_.requests()) {
      if (live.request.deadline <= now) ended_.push_back(&live);
    }
    EndAll(absl::DeadlineExceededError("the deadline has passed"));
  }

  void Step() {
    const Admission admission = NextAdmission();
    const StepPlan& plan =
        scheduler_.PlanStep(admission, runner_.start_token_id());
    if (!plan.encode.empty()) {
      BeginEncode(
          admission.is_overtaking ? EncodePass::kOvertaking : EncodePass::kMain,
          plan.encode);
    }
    AdvanceEncode(!plan.decode.empty());
    if (plan.decode.empty()) return;
    decode_step_.Run(plan.decode, options_.now, ended_);
    last_decode_seconds_ = stats_.decode_seconds;
    EndAll(absl::OkStatus());
  }

  Admission NextAdmission() {
    const Pass& main = PassOf(EncodePass::kMain);
    if (!main.is_under_way()) return {options_.max_encode_tokens};
    if (PassOf(EncodePass::kOvertaking).is_under_way()) return {};
    const int32_t room =
        std::min(kMaxOvertakingTokens, main.num_tokens / kOvertakeRatio);
    return {room >= kLeastOvertakingTokens ? room : 0, /*is_overtaking=*/true};
  }

  void BeginEncode(EncodePass which, const std::vector<Segment*>& segments) {
    Pass& pass = PassOf(which);
    pass.segments = segments;
    pass.num_tokens = 0;
    last_pass_ = EncodePass::kMain;  // so that one that overtakes comes first
    encode_entries_.clear();
    const MonotonicTime now = options_.now();
    for (Segment* segment : segments) {
      LiveRequest& live = *segment->request;
      const absl::Span<const int32_t> source =
          live.request.segments[segment->index];
      encode_entries_.push_back({source, segment->cross_kv.ids()});
      pass.num_tokens += static_cast<int32_t>(source.size());
      if (segment->index == 0) {
        const absl::Duration queued = now - live.arrival;
        stats_.queue_seconds.push_back(absl::ToDoubleSeconds(queued));
        live.request.sink->OnAdmitted(queued);
        TimedMutexLock lock(&mutex_);
        --num_waiting_;
      }
    }
    stats_.num_prompt_tokens += pass.num_tokens;
    runner_.BeginEncode(which, encode_entries_);
  }

  // Goes on with the passes under way by turns.
  void AdvanceEncode(bool is_decoding) {
    EncodePass which = last_pass_ == EncodePass::kMain ? EncodePass::kOvertaking
                                                       : EncodePass::kMain;
    if (!PassOf(which).is_under_way()) which = last_pass_;
    Pass& pass = PassOf(which);
    if (!pass.is_under_way()) return;
    last_pass_ = which;
    const MonotonicTime begin = options_.now();
    const int64_t slice = is_decoding ? EncodeSlice() : kEncodeSliceAlone;
    const bool is_done = runner_.AdvanceEncode(which, slice);
    stats_.encode_seconds = absl::ToDoubleSeconds(options_.now() - begin);
    if (!is_done && stats_.encode_seconds > 0) {
      encode_rate_ = static_cast<double>(slice) / stats_.encode_seconds;
    }
    if (!is_done) return;
    for (Segment* segment : pass.segments) {
      if (segment != nullptr) scheduler_.FinishEncode(*segment);
    }
    pass.segments.clear();
  }

  // What the encoder does in kEncodeShare of the last decode step's time, going
  // by what it did last.
  int64_t EncodeSlice() const {
    if (encode_rate_ == 0 || last_decode_seconds_ == 0) {
      return kFirstEncodeSlice;
    }
    return std::max<int64_t>(1,
                             static_cast<int64_t>(encode_rate_ * kEncodeShare *
                                                  last_decode_seconds_));
  }

  void EndAll(const absl::Status& status) {
    for (LiveRequest* live : ended_) End(*live, status);
    ended_.clear();
  }

  // Frees all of a request; Report() tells its sink.
  void End(LiveRequest& live, const absl::Status& status) {
    for (const EncodePass which :
         {EncodePass::kMain, EncodePass::kOvertaking}) {
      std::vector<Segment*>& segments = PassOf(which).segments;
      for (size_t i = 0; i < segments.size(); ++i) {
        if (segments[i] == nullptr || segments[i]->request != &live) continue;
        runner_.DropEncode(which, static_cast<int32_t>(i));
        segments[i] = nullptr;
      }
      // A pass that nobody waits for ends here.
      if (std::all_of(segments.begin(), segments.end(),
                      [](Segment* segment) { return segment == nullptr; })) {
        segments.clear();
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
      TimedMutexLock lock(&mutex_);
      --num_live_;
      if (each.was_waiting) --num_waiting_;
    }
    finished_.clear();
  }

  struct Pass {                      // of the encoder
    std::vector<Segment*> segments;  // null: dropped
    int32_t num_tokens = 0;
    bool is_under_way() const { return !segments.empty(); }
  };
  Pass& PassOf(EncodePass which) { return passes_[static_cast<int>(which)]; }

  struct Finished {
    TokenSink* sink;
    absl::Status status;
    bool was_waiting;
  };

  const EngineOptions options_;
  ModelRunner& runner_;

  TimedMutex mutex_;
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
  Pass passes_[kNumEncodePasses];
  EncodePass last_pass_ = EncodePass::kMain;  // that was worked on
  std::vector<EncodeEntry> encode_entries_;
  double encode_rate_ = 0;  // tokens times layers a second; 0: not known
  double last_decode_seconds_ = 0;
  std::vector<LiveRequest*> ended_;  // to be ended together
  std::vector<Finished> finished_;   // to be told
  StepStats stats_;
  DecodeStep decode_step_;

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
void Engine::Extend(RequestId id, Extension extension) {
  loop_->Send(ExtendCommand{id, std::move(extension)});
}
void Engine::Drain() { loop_->Drain(); }
bool Engine::WaitUntilIdle(absl::Duration timeout) {
  return loop_->WaitUntilIdle(timeout);
}

}  // namespace sheaf
