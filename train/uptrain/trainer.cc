// SPDX-License-Identifier: Apache-2.0

#include "train/uptrain/trainer.h"

#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "ATen/Context.h"
#include "ATen/Parallel.h"
#include "c10/util/Exception.h"
#include "train/uptrain/batch.h"
#include "train/uptrain/on_threads.h"
#include "train/uptrain/optimizer.h"
#include "train/uptrain/tensor_file.h"

namespace sheaf {
namespace {

namespace fs = std::filesystem;

double SecondsNow() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::string Duration(double seconds) {
  const long long s = std::max(0LL, std::llround(seconds));
  char text[32];
  std::snprintf(text, sizeof(text), "%lld:%02lld:%02lld", s / 3600, s / 60 % 60,
                s % 60);
  return text;
}

Result<std::vector<TokenFile>> ReadFiles(const std::vector<std::string>& paths,
                                         const ModelConfig& config) {
  std::vector<TokenFile> files;
  for (const std::string& path : paths) {
    Result<TokenFile> file = TokenFile::Read(path);
    if (!file.ok()) return file.error();
    if (file->vocab_size() > config.vocab_size) {
      return Error{path + ": vocab_size is " +
                   std::to_string(file->vocab_size()) + "; the model's is " +
                   std::to_string(config.vocab_size)};
    }
    if (file->size() == 0) return Error{path + ": has no pair"};
    files.push_back(*std::move(file));
  }
  return files;
}

// The counters of a saved state. Their number also tells its version, so that
// it changes with the order of the weights.
constexpr int64_t kNumCounters = 5;

at::ScalarType ScalarTypeOf(FloatType type) {
  return type == FloatType::kBf16 ? at::kBFloat16 : at::kFloat;
}

volatile std::sig_atomic_t must_stop = 0;

void AskToStop(int) { must_stop = 1; }

class Trainer {
 public:
  explicit Trainer(const TrainOptions& options) : options_(options) {}

  Result<void> Run() {
    Result<void> done = Prepare();
    if (!done.ok()) return done;
    std::signal(SIGTERM, AskToStop);
    while (Progress() < 1) {
      done = Step();
      if (!done.ok()) return done;
      if (must_stop != 0) {
        Log("stopped at step " + std::to_string(step_) +
            "; the same command continues the run");
        return SaveState();
      }
    }
    done = Evaluate();
    if (done.ok()) done = SaveModel("last", optimizer_->average);
    if (done.ok()) done = SaveState();
    return done;
  }

 private:
  Result<void> Prepare();
  Result<void> MakeModel();
  Result<void> Resume();
  void MakeReplicas();
  Result<void> Step();
  int64_t AddGradients(const LossOptions& loss_options, double progress);
  Result<void> Evaluate();
  Result<void> SaveState();
  Result<void> SaveModel(const std::string& name, const at::Tensor& weights);
  void Log(const std::string& line);
  void ReportProgress();

  // 0 to 1: how much of the training is done.
  double Progress() const {
    if (options_.minutes > 0) return Elapsed() / (60 * options_.minutes);
    return static_cast<double>(step_) / static_cast<double>(options_.steps);
  }
  double Elapsed() const {
    return elapsed_before_ + SecondsNow() - started_at_;
  }
  double Rate(double progress) const {
    if (progress < options_.warmup) {
      return options_.rate * (progress / options_.warmup * 0.99 + 0.01);
    }
    const double rest = (progress - options_.warmup) / (1 - options_.warmup);
    return options_.rate * 0.5 * (1 + std::cos(M_PI * std::min(rest, 1.0)));
  }
  bool IsMuon() const { return options_.optimizer == MatrixOptimizer::kMuon; }
  // The number of threads that compute concurrently, each with its own model.
  int AtOnce() const { return static_cast<int>(replicas_.size()) + 1; }
  T5& ModelOf(int thread) {
    return thread == 0 ? *model_ : replicas_[thread - 1];
  }
  at::ScalarType ProductType() const {
    return ScalarTypeOf(options_.precision);
  }
  ForwardOptions Forward(double dropout) const {
    return {ProductType(), dropout};
  }
  std::string PathOf(const std::string& name) const {
    return options_.output + "/" + name;
  }

  const TrainOptions options_;
  ModelConfig config_;
  std::vector<TokenFile> train_, dev_;
  std::unique_ptr<T5> model_;
  std::vector<T5> replicas_;  // of model_, one per additional thread
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<BatchStream> stream_;

  int64_t step_ = 0;
  int64_t evaluated_at_ = -1;  // step
  double best_dev_ = INFINITY;
  double elapsed_before_ = 0;  // in the runs that this one continues
  double started_at_ = 0;

  // Sums since the last progress line.
  at::Tensor loss_sum_;
  int64_t num_targets_ = 0, num_tokens_ = 0;
  double logged_at_ = 0;
};

// Reads the model, or makes one of random weights.
Result<void> Trainer::MakeModel() {
  const bool has_cuda = at::globalContext().hasCUDA();
  if (options_.device == DeviceKind::kCuda && !has_cuda) {
    return Error{"--device is cuda, but libtorch has none here"};
  }
  const bool uses_cuda = has_cuda && options_.device != DeviceKind::kCpu;
  const at::Device device(uses_cuda ? at::kCUDA : at::kCPU);
  at::manual_seed(options_.seed);
  if (options_.init == InitialWeights::kRandom) {
    model_ = std::make_unique<T5>(config_, device);
    return {};
  }
  Result<NamedTensors> tensors = ReadTensors(options_.model);
  Result<void> loaded;
  if (tensors.ok()) {
    loaded = MatchTensors(*tensors, config_);
  } else {
    loaded = tensors.error();
  }
  if (loaded.ok()) {
    model_ = std::make_unique<T5>(config_, device);
    loaded = model_->Load(*tensors);
  }
  if (loaded.ok()) return loaded;
  return Error{options_.model + ": " + loaded.error().message};
}

Result<void> Trainer::Prepare() {
  Result<ModelConfig> config = ModelConfig::Load(options_.model);
  if (!config.ok()) return config.error();
  config_ = *config;
  Result<std::vector<TokenFile>> train = ReadFiles(options_.train, config_);
  if (!train.ok()) return train.error();
  train_ = *std::move(train);
  Result<std::vector<TokenFile>> dev = ReadFiles(options_.dev, config_);
  if (!dev.ok()) return dev.error();
  dev_ = *std::move(dev);
  Result<void> done = MakeModel();
  if (!done.ok()) return done;
  MakeReplicas();
  optimizer_ = std::make_unique<Optimizer>(*model_);
  std::error_code failed;
  fs::create_directories(options_.output, failed);
  if (failed) return Error{options_.output + ": " + failed.message()};
  done = Resume();
  if (!done.ok()) return done;
  loss_sum_ = at::zeros({}, model_->weights().options());
  started_at_ = logged_at_ = SecondsNow();
  char line[200];
  std::snprintf(
      line, sizeof(line), "%lld weights on %s, products in %s, from step %lld",
      static_cast<long long>(model_->weights().numel()),
      model_->device().str().c_str(), kFloatTypes.Name(options_.precision),
      static_cast<long long>(step_));
  Log(line);
  return {};
}

// Makes a replica per batch of a step, up to the number of threads.
void Trainer::MakeReplicas() {
  if (options_.threads > 0) {
    at::set_num_threads(static_cast<int>(options_.threads));
  }
  if (!model_->device().is_cpu()) return;
  const int64_t threads = at::get_num_threads();
  for (int64_t i = 1; i < std::min(threads, options_.accumulate); ++i) {
    replicas_.push_back(model_->Replica());
  }
}

Result<void> Trainer::Resume() {
  StreamPosition position;
  const std::string path = PathOf("state.safetensors");
  if (fs::exists(path)) {
    Result<NamedTensors> read = ReadTensorFile(path);
    if (!read.ok()) return read.error();
    NamedTensors& state = *read;
    for (const char* name :
         {"weights", "first", "second", "average", "counters", "clocks"}) {
      if (!state.count(name))
        return Error{path + ": there is no tensor " + name};
    }
    if (state["weights"].numel() != model_->weights().numel()) {
      return Error{path +
                   ": is of another model; --output is for one training"};
    }
    model_->weights().copy_(state["weights"]);
    optimizer_->first.copy_(state["first"]);
    optimizer_->second.copy_(state["second"]);
    optimizer_->average.copy_(state["average"]);
    if (state["counters"].numel() != kNumCounters) {
      return Error{path + ": is of another version of this program"};
    }
    const int64_t* counters = state["counters"].data_ptr<int64_t>();
    if (counters[4] != IsMuon()) {
      return Error{path + ": is of the other --optimizer; the moments of the " +
                   "two differ"};
    }
    step_ = counters[0];
    position.epoch = counters[1];
    position.pool_start = counters[2];
    position.batch_in_pool = counters[3];
    const double* clocks = state["clocks"].data_ptr<double>();
    elapsed_before_ = clocks[0];
    position.pool_progress = clocks[1];
    best_dev_ = clocks[2];
  }
  stream_ = std::make_unique<BatchStream>(
      train_,
      StreamOptions{options_.batch_tokens, options_.weights,
                    options_.short_first, options_.seed},
      position);
  return {};
}

Result<void> Trainer::SaveState() {
  const StreamPosition& position = stream_->position();
  at::Tensor counters = at::empty({kNumCounters}, at::kLong);
  at::Tensor clocks = at::empty({3}, at::kDouble);
  const int64_t integers[] = {step_, position.epoch, position.pool_start,
                              position.batch_in_pool, IsMuon()};
  const double reals[] = {Elapsed(), position.pool_progress, best_dev_};
  std::copy(std::begin(integers), std::end(integers),
            counters.data_ptr<int64_t>());
  std::copy(std::begin(reals), std::end(reals), clocks.data_ptr<double>());
  return WriteTensorFile(PathOf("state.safetensors"),
                         {{"weights", model_->weights()},
                          {"first", optimizer_->first},
                          {"second", optimizer_->second},
                          {"average", optimizer_->average},
                          {"counters", counters},
                          {"clocks", clocks}});
}

Result<void> Trainer::Step() {
  const double progress = Progress();
  // The randomness of a step depends only on its number, so that a continued
  // run is the same.
  at::manual_seed(options_.seed * 1000003 + static_cast<uint64_t>(step_));
  LossOptions loss_options;
  loss_options.label_smoothing = options_.label_smoothing;
  loss_options.guide_weight =
      options_.guide * std::max(0.0, 1 - progress / options_.guide_until);
  const int64_t num_targets = AddGradients(loss_options, progress);
  num_targets_ += num_targets;
  OptimizerOptions optimizer;
  optimizer.is_muon = IsMuon();
  optimizer.rate = Rate(progress);
  optimizer.embedding_rate = options_.embedding_rate;
  optimizer.beta2 = options_.beta2;
  optimizer.weight_decay = options_.weight_decay;
  optimizer.clip = options_.clip;
  optimizer.products = ProductType();
  ++step_;
  optimizer_->Step(*model_, optimizer, step_,
                   1.0 / static_cast<double>(num_targets), options_.ema);
  if (step_ % options_.log_every == 0) {
    ReportProgress();
    if (!std::isfinite(loss_sum_.item<double>())) {
      return Error{"the loss is not a number at step " + std::to_string(step_) +
                   "; the last saved state is complete, try a lower --rate"};
    }
    loss_sum_.zero_();
    num_targets_ = num_tokens_ = 0;
  }
  Result<void> done;
  if (options_.eval_every > 0 && step_ % options_.eval_every == 0) {
    done = Evaluate();
  }
  if (done.ok() && options_.save_every > 0 &&
      step_ % options_.save_every == 0) {
    done = SaveState();
  }
  return done;
}

// Adds the gradients of the batches of a step. Returns the number of tokens to
// predict in them.
int64_t Trainer::AddGradients(const LossOptions& loss_options,
                              double progress) {
  std::vector<std::vector<PairRef>> batches;
  for (int64_t i = 0; i < options_.accumulate; ++i) {
    batches.push_back(stream_->Next(progress));
  }
  struct Sums {
    at::Tensor loss;
    int64_t num_targets = 0, num_tokens = 0;
  };
  const int at_once = AtOnce();
  std::vector<Sums> sums(at_once, {at::zeros_like(loss_sum_)});
  OnThreads(at_once, [&](int thread) {
    T5& model = ModelOf(thread);
    for (size_t i = thread; i < batches.size(); i += at_once) {
      const Batch batch =
          MakeBatch(train_, batches[i], config_.start_id, model.device());
      const Loss loss =
          ComputeLoss(model, batch, Forward(options_.dropout), loss_options);
      loss.training.backward();
      sums[thread].loss = sums[thread].loss + loss.cross_entropy.detach();
      sums[thread].num_targets += batch.num_targets;
      sums[thread].num_tokens += batch.num_tokens;
    }
  });
  for (T5& replica : replicas_) {
    model_->gradients().add_(replica.gradients());
    replica.gradients().zero_();
  }
  int64_t num_targets = 0;
  for (const Sums& sum : sums) {
    loss_sum_ += sum.loss;
    num_tokens_ += sum.num_tokens;
    num_targets += sum.num_targets;
  }
  return num_targets;
}

void Trainer::ReportProgress() {
  const double loss =
      loss_sum_.item<double>() / static_cast<double>(num_targets_);
  const double now = SecondsNow();
  const double progress = Progress();
  const double left = Elapsed() * (1 - progress) / std::max(progress, 1e-9);
  char line[200];
  std::snprintf(
      line, sizeof(line),
      "step %lld  %.1f %%  epoch %lld  loss %.4f  rate %.2e  %.0f tokens/s  "
      "%s left",
      static_cast<long long>(step_), 100 * progress,
      static_cast<long long>(stream_->position().epoch), loss, Rate(progress),
      static_cast<double>(num_tokens_) / (now - logged_at_),
      Duration(left).c_str());
  logged_at_ = now;
  Log(line);
}

Result<void> Trainer::Evaluate() {
  if (dev_.empty() || evaluated_at_ == step_) return {};
  evaluated_at_ = step_;
  const at::Tensor trained = model_->weights().clone();
  model_->weights().copy_(optimizer_->average);
  std::vector<DevResult> results(dev_.size());
  TakeInTurn(AtOnce(), dev_.size(), [&](int thread, size_t i) {
    results[i] =
        EvaluateDev(ModelOf(thread), dev_[i],
                    {options_.dev_pairs, options_.dev_decode,
                     options_.dev_decode_tokens, options_.batch_tokens},
                    Forward(0));
  });
  std::string line = "step " + std::to_string(step_) + "  dev";
  double sum = 0;
  for (size_t i = 0; i < dev_.size(); ++i) {
    const DevResult& result = results[i];
    const std::string name = fs::path(options_.dev[i]).stem().string();
    char text[200];
    std::snprintf(text, sizeof(text), "  %s loss %.4f token BLEU %.2f",
                  name.c_str(), result.loss, result.token_bleu);
    line += text;
    sum += result.loss;
    std::string ids;
    for (const std::vector<int32_t>& output : result.outputs) {
      for (size_t j = 0; j < output.size(); ++j) {
        ids += (j > 0 ? " " : "") + std::to_string(output[j]);
      }
      ids += '\n';
    }
    if (std::FILE* file =
            std::fopen(PathOf("dev-" + name + ".ids").c_str(), "wb")) {
      std::fputs(ids.c_str(), file);
      std::fclose(file);
    }
  }
  model_->weights().copy_(trained);
  Log(line);
  if (sum / static_cast<double>(dev_.size()) >= best_dev_) return {};
  best_dev_ = sum / static_cast<double>(dev_.size());
  return SaveModel("best", optimizer_->average);
}

Result<void> Trainer::SaveModel(const std::string& name,
                                const at::Tensor& weights) {
  const fs::path directory = PathOf(name);
  std::error_code error;
  fs::create_directories(directory, error);
  for (const char* file :
       {"config.json", "generation_config.json", "spiece.model",
        "tokenizer.json", "tokenizer_config.json", "added_tokens.json",
        "special_tokens_map.json", "LICENSE"}) {
    const fs::path from = fs::path(options_.model) / file;
    if (!fs::exists(from)) continue;
    fs::copy_file(from, directory / file, fs::copy_options::overwrite_existing,
                  error);
    if (error) return Error{from.string() + ": " + error.message()};
  }
  const at::Tensor trained = model_->weights().clone();
  model_->weights().copy_(weights);
  Result<void> written =
      WriteTensorFile((directory / "model.safetensors").string(),
                      model_->Tensors(), ScalarTypeOf(options_.store));
  model_->weights().copy_(trained);
  return written;
}

void Trainer::Log(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
  if (std::FILE* file = std::fopen(PathOf("log.txt").c_str(), "ab")) {
    std::fprintf(file, "%s\n", line.c_str());
    std::fclose(file);
  }
}

}  // namespace

Result<void> Train(const TrainOptions& options) {
  try {
    return Trainer(options).Run();
  } catch (const c10::Error& error) {  // such as out of memory
    return Error{error.what_without_backtrace()};
  } catch (const std::exception& error) {
    return Error{error.what()};
  }
}

}  // namespace sheaf
