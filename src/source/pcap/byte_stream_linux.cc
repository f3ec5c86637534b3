// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "fmt/format.h"
#include "source/pcap/byte_stream.h"

namespace sockflow::pcap {
namespace {

class FileStream : public ByteStream {
 public:
  explicit FileStream(int fd) : fd_(fd) {}
  ~FileStream() override {
    if (fd_ != STDIN_FILENO) close(fd_);
  }
  FileStream(const FileStream&) = delete;
  FileStream& operator=(const FileStream&) = delete;

  absl::StatusOr<size_t> Read(std::span<uint8_t> octets) override {
    while (true) {
      const ssize_t count = read(fd_, octets.data(), octets.size());
      if (count >= 0) return static_cast<size_t>(count);
      if (errno == EINTR) continue;
      return absl::DataLossError(fmt::format("cannot be read: {}", std::strerror(errno)));
    }
  }

 private:
  int fd_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ByteStream>> OpenFile(const std::string& path) {
  if (path == "-") return std::make_unique<FileStream>(STDIN_FILENO);
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    const int error = errno;
    const std::string text = fmt::format("cannot be opened: {}", std::strerror(error));
    if (error == ENOENT) return absl::NotFoundError(text);
    if (error == EACCES) return absl::PermissionDeniedError(text);
    return absl::FailedPreconditionError(text);
  }
  return std::make_unique<FileStream>(fd);
}

}  // namespace sockflow::pcap
