// SPDX-License-Identifier: MIT
#include "transport/part_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <ctime>
#include <utility>

#include "absl/strings/ascii.h"
#include "fmt/format.h"
#include "transport/disk.h"

namespace sockflow::transport {
namespace {

constexpr std::string_view kTimeShape = "00000000T000000Z";  // 0: a digit
constexpr std::string_view kPart = ".part";
constexpr std::string_view kIpfix = ".ipfix";

std::string TimeText(Time time) {
  const time_t seconds = std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
  tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

bool HasTimeShape(std::string_view text) {
  return std::equal(text.begin(), text.end(), kTimeShape.begin(), kTimeShape.end(),
                    [](unsigned char c, char shape) {
                      return shape == '0' ? absl::ascii_isdigit(c) : c == shape;
                    });
}

bool ConsumePrefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

bool Exists(const std::string& path) {
  struct stat status {};
  return lstat(path.c_str(), &status) == 0;
}

// Gives the file at `from` the first free name from name.number on, `ending` after it.
absl::StatusOr<std::string> NameFile(const std::string& from, FileName name,
                                     std::string_view ending) {
  while (true) {
    const std::string to = fmt::format("{}{}", name.Final(), ending);
    const int error = RenameNew(from, to);
    if (error == 0) {
      if (const int sync_error = SyncDirectory(name.directory); sync_error != 0) {
        return DiskError("bring to the disk", name.directory, sync_error);
      }
      return to;
    }
    if (error != EEXIST) return DiskError("rename", fmt::format("{} to {}", from, to), error);
    ++name.number;
  }
}

// What became of one file; empty: somebody writes it.
std::string CompleteLeftover(const FileName& name, uint64_t largest_unit) {
  const std::string part = name.Part();
  const Socket fd(open(part.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd) return std::string(DiskError("complete", part, errno).message());
  struct stat status {};
  if (fstat(fd.fd(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return fmt::format("cannot complete {}: it is not a file; remove it", part);
  }
  // Whoever claimed it may also have completed it since the directory was read.
  if (!Claim(fd.fd()) || !IsNamed(fd.fd(), part)) return "";
  if (fstat(fd.fd(), &status) != 0)
    return std::string(DiskError("complete", part, errno).message());
  const uint64_t size = static_cast<uint64_t>(status.st_size);
  if (size == 0) {
    if (unlink(part.c_str()) != 0) return std::string(DiskError("remove", part, errno).message());
    return fmt::format("{}, which was begun before a crash, was empty and is removed", part);
  }
  const absl::StatusOr<uint64_t> whole = WholeOctets(name.compression, fd.fd());
  if (!whole.ok()) {
    return fmt::format("cannot complete {}: {}", part, std::string(whole.status().message()));
  }
  const uint64_t rest = size - *whole;
  const bool is_damaged = *whole == 0 || rest > largest_unit;
  if (!is_damaged && rest > 0 && ftruncate(fd.fd(), static_cast<off_t>(*whole)) != 0) {
    return std::string(DiskError("cut", part, errno).message());
  }
  if (fsync(fd.fd()) != 0)
    return std::string(DiskError("bring to the disk", part, errno).message());
  const absl::StatusOr<std::string> named = NameFile(part, name, is_damaged ? ".damaged" : "");
  if (!named.ok()) return std::string(named.status().message());
  if (is_damaged) {
    return fmt::format(
        "{}, which a crash left, is kept as it is: {} of its {} octets are whole, and "
        "the rest is more than a crash of the agent breaks",
        *named, *whole, size);
  }
  if (rest > 0) {
    return fmt::format(
        "{}, which was left unfinished, is complete now: {} octets of what was not "
        "whole at its end were cut off",
        *named, rest);
  }
  return fmt::format("{}, which was left unfinished, is complete now; nothing in it is lost",
                     *named);
}

}  // namespace

std::string FileName::Final() const {
  return fmt::format("{}/{}-{}{}{}{}", directory, prefix, time,
                     number == 0 ? "" : fmt::format("_{:03}", number), kIpfix,
                     Extension(compression));
}

std::string FileName::Part() const {
  return fmt::format("{}/.{}{}", directory, Final().substr(directory.size() + 1), kPart);
}

std::optional<FileName> FileName::ParsePart(std::string_view text, const std::string& directory,
                                            const std::string& prefix) {
  FileName name{.directory = directory, .prefix = prefix};
  if (!ConsumePrefix(text, ".") || !ConsumePrefix(text, prefix) || !ConsumePrefix(text, "-") ||
      !HasTimeShape(text.substr(0, kTimeShape.size()))) {
    return std::nullopt;
  }
  name.time = text.substr(0, kTimeShape.size());
  text.remove_prefix(kTimeShape.size());
  if (ConsumePrefix(text, "_")) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), name.number);
    if (error != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<size_t>(end - text.data()));
  }
  if (!ConsumePrefix(text, kIpfix) || !text.ends_with(kPart)) return std::nullopt;
  text.remove_suffix(kPart.size());
  for (const Compression kind : {Compression::kNone, Compression::kGzip, Compression::kZstd}) {
    if (text != Extension(kind)) continue;
    name.compression = kind;
    return name;
  }
  return std::nullopt;
}

absl::StatusOr<std::unique_ptr<PartFile>> PartFile::Create(FileName name, Time now) {
  name.time = TimeText(now);
  for (name.number = 0;; ++name.number) {
    if (Exists(name.Final())) continue;
    const std::string part = name.Part();
    // Who talks to whom is nobody else's business: not readable by others.
    Socket fd(open(part.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640));
    if (!fd && errno == EEXIST) continue;
    if (!fd) return DiskError("make", part, errno);
    // Another agent that completes leftovers may have found the file before it was claimed.
    if (!Claim(fd.fd()) || !IsNamed(fd.fd(), part)) continue;
    return std::unique_ptr<PartFile>(new PartFile(std::move(name), std::move(fd)));
  }
}

absl::Status PartFile::Append(std::span<const uint8_t> octets) {
  if (const int error = AppendWhole(fd_.fd(), octets, octets_); error != 0) {
    return DiskError("write", name_.Part(), error);
  }
  octets_ += octets.size();
  return absl::OkStatus();
}

bool PartFile::IsRemoved() const { return !IsNamed(fd_.fd(), name_.Part()); }

absl::Status PartFile::Finish() {
  const std::string part = name_.Part();
  if (octets_ == 0) {
    return unlink(part.c_str()) == 0 ? absl::OkStatus() : DiskError("remove", part, errno);
  }
  // An append that failed and could not be cut back.
  struct stat status {};
  if (fstat(fd_.fd(), &status) != 0 || (static_cast<uint64_t>(status.st_size) != octets_ &&
                                        ftruncate(fd_.fd(), static_cast<off_t>(octets_)) != 0)) {
    return DiskError("cut", part, errno);
  }
  if (fsync(fd_.fd()) != 0) return DiskError("bring to the disk", part, errno);
  return NameFile(part, name_, "").status();
}

std::vector<std::string> CompleteLeftovers(const std::string& directory, const std::string& prefix,
                                           uint64_t largest_unit) {
  std::vector<FileName> found;
  {
    const std::unique_ptr<DIR, int (*)(DIR*)> listing(opendir(directory.c_str()), &closedir);
    if (listing == nullptr) {
      return {std::string(DiskError("list", directory, errno).message())};
    }
    while (const dirent* entry = readdir(listing.get())) {
      if (auto name = FileName::ParsePart(entry->d_name, directory, prefix)) {
        found.push_back(*std::move(name));
      }
    }
  }
  std::vector<std::string> notes;
  for (const FileName& name : found) {
    if (std::string note = CompleteLeftover(name, largest_unit); !note.empty()) {
      notes.push_back(std::move(note));
    }
  }
  return notes;
}

}  // namespace sockflow::transport
