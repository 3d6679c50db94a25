// SPDX-License-Identifier: Apache-2.0

#include "server/ops/process_stats.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

namespace sheaf {
namespace {

// Returns the fields of /proc/self/stat from the third ("state"). They follow
// the program's name in parentheses, which may itself contain spaces and
// parentheses.
std::vector<std::string> StatFields() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  const size_t name_end = line.rfind(')');
  std::vector<std::string> fields;
  if (name_end == std::string::npos) return fields;
  std::istringstream rest(line.substr(name_end + 1));
  for (std::string field; rest >> field;) fields.push_back(field);
  return fields;
}

double BootTimeSeconds() {
  std::ifstream file("/proc/stat");
  for (std::string key; file >> key;) {
    double seconds = 0;
    if (key == "btime" && file >> seconds) return seconds;
  }
  return 0;
}

int64_t NumOpenFds() {
  std::error_code error;
  int64_t n = 0;
  for (std::filesystem::directory_iterator it("/proc/self/fd", error), end;
       !error && it != end; it.increment(error)) {
    ++n;
  }
  return n > 0 ? n - 1 : 0;  // without the descriptor of the directory
}

}  // namespace

ProcessStats ReadProcessStats() {
  ProcessStats stats;
  // proc(5): fields 14 utime, 15 stime, 22 starttime (in clock ticks), 23 vsize
  // (bytes), 24 rss (pages); the vector begins with field 3.
  const std::vector<std::string> fields = StatFields();
  if (fields.size() > 21) {
    const double ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
    stats.cpu_seconds = (std::stod(fields[11]) + std::stod(fields[12])) / ticks;
    stats.start_time_seconds =
        BootTimeSeconds() + std::stod(fields[19]) / ticks;
    stats.virtual_bytes = std::stoll(fields[20]);
    stats.resident_bytes = std::stoll(fields[21]) * sysconf(_SC_PAGESIZE);
  }
  stats.num_open_fds = NumOpenFds();
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    stats.max_fds = static_cast<int64_t>(limit.rlim_cur);
  }
  return stats;
}

}  // namespace sheaf
