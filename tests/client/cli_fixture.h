// SPDX-License-Identifier: Apache-2.0

// Runs the built `sheaf` against a fake server.

#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/client/fake_server.h"
#include "tests/support/temp_dir.h"

namespace sheaf {

inline void WriteFile(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

inline std::string ReadFile(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

struct Result {
  int exit_code = -1;  // 128 + n if signal n ended the program.
  std::string out;
  std::string err;
};

class SheafTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return dir_.PathOf(name); }

  // Runs `sheaf ARGUMENTS`, with --server after the subcommand. Its stdout goes
  // to `out_fd` if that is not -1; it starts without `closed_fd`.
  Result Run(std::vector<std::string> arguments, const std::string& in = "",
             int out_fd = -1, int closed_fd = -1) {
    arguments.insert(arguments.begin() + 1, "--server=" + server_.address());
    return RunAsIs(std::move(arguments), in, out_fd, closed_fd);
  }

  Result RunAsIs(std::vector<std::string> arguments, const std::string& in = "",
                 int out_fd = -1, int closed_fd = -1) {
    arguments.insert(arguments.begin(), SHEAF_PROGRAM);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    WriteFile(Path("stdin"), in);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, Path("stdin").c_str(),
                                     O_RDONLY, 0);
    const int flags = O_WRONLY | O_CREAT | O_TRUNC;
    if (out_fd >= 0) {
      posix_spawn_file_actions_adddup2(&actions, out_fd, 1);
    } else {
      posix_spawn_file_actions_addopen(&actions, 1, Path("stdout").c_str(),
                                       flags, 0600);
    }
    posix_spawn_file_actions_addopen(&actions, 2, Path("stderr").c_str(), flags,
                                     0600);
    if (closed_fd >= 0) {
      posix_spawn_file_actions_addclose(&actions, closed_fd);
    }
    pid_t pid = 0;
    EXPECT_EQ(posix_spawn(&pid, SHEAF_PROGRAM, &actions, nullptr, argv.data(),
                          environ),
              0);
    posix_spawn_file_actions_destroy(&actions);
    int status = 0;
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    Result result;
    result.exit_code =
        WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (out_fd < 0) result.out = ReadFile(Path("stdout"));
    result.err = ReadFile(Path("stderr"));
    return result;
  }

  FakeServer server_;
  const TempDir dir_;
};

}  // namespace sheaf
