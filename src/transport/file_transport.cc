// SPDX-License-Identifier: MIT
#include "transport/file_transport.h"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "fmt/format.h"
#include "transport/disk.h"

namespace sockflow::transport {
namespace {

// What is written at once, and so what a crash may leave half of: a block, one message more (65,535
// octets, RFC 7011 3.1) and what compression adds to what cannot be compressed.
constexpr uint64_t kLargestUnit = 2 * FileTransport::kBlockOctets;

bool IsDirectory(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

}  // namespace

absl::StatusOr<std::unique_ptr<FileTransport>> FileTransport::Make(Options options) {
  if (options.path.empty() || options.path.find('\0') != options.path.npos) {
    return absl::InvalidArgumentError("a file collector has no path; write file:DIRECTORY");
  }
  if (options.max_octets != 0 && options.max_octets < kSmallestMaxOctets) {
    return absl::InvalidArgumentError(
        fmt::format("files of {} octets are too small; allowed is 0 (no limit) or at least {}",
                    options.max_octets, kSmallestMaxOctets));
  }
  if (options.max_age != Duration::zero() && options.max_age < std::chrono::seconds(1)) {
    return absl::InvalidArgumentError(
        "files of less than a second are too short; allowed is 0 (no limit) or at least 1s");
  }
  absl::StatusOr<std::unique_ptr<Compressor>> compressor = Compressor::Make(options.compression);
  if (!compressor.ok()) return compressor.status();
  return std::unique_ptr<FileTransport>(
      new FileTransport(std::move(options), *std::move(compressor)));
}

FileTransport::FileTransport(Options options, std::unique_ptr<Compressor> compressor)
    : options_(std::move(options)),
      compressor_(std::move(compressor)),
      name_(fmt::format("file:{}", options_.path)) {}

absl::Status FileTransport::Open(Waiter&, Clock::time_point) {
  // Found out each time: the directory may have been made in the meantime.
  constexpr std::string_view kIpfix = ".ipfix";
  const size_t slash = options_.path.rfind('/');
  if (IsDirectory(options_.path) || slash == options_.path.size() - 1) {
    directory_ = options_.path;
    prefix_ = "sockflow";
  } else {
    directory_ = slash == options_.path.npos ? "." : options_.path.substr(0, slash + 1);
    prefix_ = options_.path.substr(slash == options_.path.npos ? 0 : slash + 1);
    if (prefix_.size() > kIpfix.size() && prefix_.ends_with(kIpfix)) {
      prefix_.resize(prefix_.size() - kIpfix.size());
    }
  }
  while (directory_.size() > 1 && directory_.back() == '/') directory_.pop_back();
  if (access(directory_.c_str(), W_OK | X_OK) != 0) {
    return DiskError("write files in", directory_, errno);
  }
  if (!IsDirectory(directory_)) return DiskError("write files in", directory_, ENOTDIR);
  if (may_have_leftovers_) {
    may_have_leftovers_ = false;
    for (const std::string& note : CompleteLeftovers(directory_, prefix_, kLargestUnit)) {
      options_.note(note);
    }
  }
  if (absl::Status status = CheckRoom(); !status.ok()) return status;
  block_.clear();
  unconfirmed_ = 0;
  is_open_ = true;
  return absl::OkStatus();
}

absl::Status FileTransport::CheckRoom() const {
  struct statvfs status {};
  // Where this cannot be known (no numbers, as some file systems have none) the write will tell.
  if (statvfs(directory_.c_str(), &status) != 0 || status.f_blocks == 0) return absl::OkStatus();
  const uint64_t room = uint64_t{status.f_bavail} * status.f_frsize;
  if (room >= kLeastRoom) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      fmt::format("no file is begun in {}: {} octets are left, less than {}; make room on the disk",
                  directory_, room, kLeastRoom));
}

absl::Status FileTransport::Begin() {
  const Time now = options_.wall_clock();
  absl::StatusOr<std::unique_ptr<PartFile>> file = PartFile::Create(
      {.directory = directory_, .prefix = prefix_, .compression = options_.compression}, now);
  if (!file.ok()) return file.status();
  file_ = *std::move(file);
  file_messages_ = 0;
  file_end_ = Clock::time_point::max();
  if (options_.max_age != Duration::zero()) {
    file_end_ = options_.now() + (options_.max_age - now.time_since_epoch() % options_.max_age);
  }
  return absl::OkStatus();
}

bool FileTransport::HasRoom(size_t octets) const {
  if (options_.max_octets == 0 || file_ == nullptr) return true;
  size_t longest = block_.size() + octets;
  if (compressor_ != nullptr) longest = compressor_->Bound(longest);
  return file_->octets() + longest <= options_.max_octets;
}

bool FileTransport::IsOver(absl::Status& why) const {
  if (file_ == nullptr) return false;
  if (file_->IsRemoved()) {
    why = absl::DataLossError(fmt::format(
        "{} was removed or renamed while it was written, with {} messages; take only files that do "
        "not begin with a dot",
        file_->part_path(), file_messages_));
    return true;
  }
  return options_.now() >= file_end_;
}

void FileTransport::Add(std::span<const uint8_t> message) {
  if (block_.empty()) block_end_ = options_.now() + kBlockWait;
  block_.insert(block_.end(), message.begin(), message.end());
  ++unconfirmed_;
}

absl::Status FileTransport::WriteBlock() {
  if (block_.empty()) return absl::OkStatus();
  if (compressor_ != nullptr) {
    if (absl::Status status = compressor_->Compress(block_, compressed_); !status.ok()) {
      return status;
    }
  }
  const std::span<const uint8_t> unit = compressor_ == nullptr ? block_ : compressed_;
  if (absl::Status status = file_->Append(unit); !status.ok()) return status;
  file_messages_ += unconfirmed_;
  block_.clear();
  unconfirmed_ = 0;
  return absl::OkStatus();
}

absl::Status FileTransport::End(absl::Status why) {
  is_open_ = false;
  block_.clear();
  const std::unique_ptr<PartFile> file = std::move(file_);
  if (file == nullptr || file->IsRemoved()) return why;
  const absl::Status status = file->Finish();
  if (status.ok()) return why;
  may_have_leftovers_ = true;
  if (why.ok()) return status;
  return absl::Status(why.code(), fmt::format("{}; and then: {}", std::string(why.message()),
                                              std::string(status.message())));
}

Transport::Result FileTransport::Send(Messages messages, Waiter&, Clock::time_point) {
  size_t added = 0;
  // Ends the session with what could be written of this call's messages.
  const auto over = [&](absl::Status why) -> Result {
    // What this call brought and is not in the file stays the caller's; the rest was accepted
    // earlier.
    const size_t not_written = std::min(unconfirmed_, added);
    unconfirmed_ -= not_written;
    return {added - not_written, Outcome::kSessionOver, End(std::move(why))};
  };
  absl::Status why;
  if (IsOver(why)) {
    if (why.ok()) why = WriteBlock();
    return over(std::move(why));
  }
  for (const std::span<const uint8_t> message : messages) {
    if (!HasRoom(message.size())) {
      // How much is left is known when the block has been compressed.
      if (why = WriteBlock(); !why.ok() || !HasRoom(message.size())) return over(std::move(why));
    }
    if (file_ == nullptr) {
      if (why = Begin(); !why.ok()) return over(std::move(why));
    }
    Add(message);
    ++added;
    if (block_.size() < kBlockOctets) continue;
    if (why = WriteBlock(); !why.ok()) return over(std::move(why));
  }
  if (compressor_ == nullptr || options_.now() >= block_end_) {
    if (why = WriteBlock(); !why.ok()) return over(std::move(why));
  }
  return {added, Outcome::kAll, absl::OkStatus()};
}

Transport::Result FileTransport::Check() {
  if (!is_open_) return {};
  absl::Status why;
  const bool is_over = IsOver(why);
  if (why.ok() && (is_over || options_.now() >= block_end_)) why = WriteBlock();
  if (!is_over && why.ok()) return {};
  return {0, Outcome::kSessionOver, End(std::move(why))};
}

Transport::Clock::time_point FileTransport::next_check() const {
  if (file_ == nullptr) return Clock::time_point::max();
  return block_.empty() ? file_end_ : std::min(file_end_, block_end_);
}

absl::Status FileTransport::Close(Waiter&, Clock::time_point) {
  if (!is_open_) return absl::OkStatus();
  absl::Status why;
  if (!IsOver(why) || why.ok()) why = WriteBlock();
  return End(std::move(why));
}

}  // namespace sockflow::transport
