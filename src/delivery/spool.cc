// SPDX-License-Identifier: MIT
#include "delivery/spool.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "transport/disk.h"

namespace sockflow::delivery {
namespace {

using transport::AppendWhole;
using transport::DiskError;
using transport::Socket;

constexpr std::string_view kSegmentName = "segment-";
constexpr size_t kDigits = 12;
constexpr uint64_t kSmallestMaxOctets = 256 << 10;
// Head, entries up to the limit, and one entry more.
constexpr uint64_t kLargestFile = 3 * Spool::kLargestSegment;

std::optional<uint64_t> NumberOf(std::string_view name) {
  if (!name.starts_with(kSegmentName) || name.size() != kSegmentName.size() + kDigits) {
    return std::nullopt;
  }
  uint64_t number = 0;
  const auto [end, error] =
      std::from_chars(name.data() + kSegmentName.size(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size() || number == 0) return std::nullopt;
  return number;
}

// What can be read from `offset` on: less than asked for at the end of the file, and where the disk
// fails.
std::vector<uint8_t> Read(int fd, uint64_t offset, size_t octets) {
  std::vector<uint8_t> buffer(octets);
  size_t filled = 0;
  while (filled < octets) {
    const ssize_t count =
        pread(fd, buffer.data() + filled, octets - filled, static_cast<off_t>(offset + filled));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    filled += static_cast<size_t>(count);
  }
  buffer.resize(filled);
  return buffer;
}

uint64_t RecordsOf(const std::vector<Entry>& entries) {
  uint64_t records = 0;
  for (const Entry& entry : entries) records += entry.records;
  return records;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Spool>> Spool::Open(Options options, Damage* damage) {
  if (options.max_octets < kSmallestMaxOctets) {
    return absl::InvalidArgumentError(
        fmt::format("a spool of {} octets is too small; allowed is {} "
                    "or more",
                    options.max_octets, kSmallestMaxOctets));
  }
  options.segment_octets =
      std::min({options.segment_octets, options.max_octets / 4, kLargestSegment});
  // Who talks to whom is nobody else's business.
  if (mkdir(options.directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return DiskError("make the spool directory", options.directory, errno);
  }
  const std::string path = options.directory + "/lock";
  Socket lock(open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!lock) return DiskError("open", path, errno);
  if (!transport::Claim(lock.fd())) {
    return absl::UnavailableError(
        fmt::format("spool directory {} is in use, by another agent or for another collector; give "
                    "each one its own directory",
                    options.directory));
  }
  std::unique_ptr<Spool> spool(new Spool(std::move(options), std::move(lock)));
  if (absl::Status status = spool->Scan(*damage); !status.ok()) return status;
  return spool;
}

Spool::Spool(Options options, Socket lock) : options_(std::move(options)), lock_(std::move(lock)) {}

std::string Spool::PathOf(uint64_t number) const {
  return fmt::format("{}/{}{:0{}}", options_.directory, kSegmentName, number, kDigits);
}

absl::Status Spool::Scan(Damage& damage) {
  std::vector<uint64_t> numbers;
  {
    const std::unique_ptr<DIR, int (*)(DIR*)> listing(opendir(options_.directory.c_str()),
                                                      &closedir);
    if (listing == nullptr) return DiskError("list", options_.directory, errno);
    while (const dirent* entry = readdir(listing.get())) {
      if (const auto number = NumberOf(entry->d_name)) numbers.push_back(*number);
    }
  }
  std::sort(numbers.begin(), numbers.end());
  for (const uint64_t number : numbers) {
    next_number_ = number + 1;
    struct stat status {};
    // Not a file: somebody else's.
    if (lstat(PathOf(number).c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    Socket fd;
    const absl::StatusOr<SegmentContents> contents = Load(number, fd);
    if (!contents.ok()) return contents.status();
    damage += contents->damage;
    if (contents->entries.empty()) {
      unlink(PathOf(number).c_str());
      continue;
    }
    segments_.push_back({.number = number,
                         .octets = static_cast<uint64_t>(status.st_size),
                         .messages = contents->entries.size(),
                         .records = RecordsOf(contents->entries)});
    messages_ += segments_.back().messages;
    records_ += segments_.back().records;
    octets_ += segments_.back().octets;
  }
  return absl::OkStatus();
}

absl::StatusOr<SegmentContents> Spool::Load(uint64_t number, Socket& fd) const {
  const std::string path = PathOf(number);
  fd = Socket(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status {};
  if (!fd || fstat(fd.fd(), &status) != 0) return DiskError("read", path, errno);
  const uint64_t size = static_cast<uint64_t>(status.st_size);
  if (size > kLargestFile) {
    return SegmentContents{.damage = {.entries = 1, .records = 0, .octets = size}};
  }
  const std::vector<uint8_t> file = Read(fd.fd(), 0, size);
  absl::StatusOr<SegmentContents> contents = ParseSegment(file);
  if (!contents.ok()) {
    return absl::Status(contents.status().code(),
                        fmt::format("cannot use {}: {}; send it with the program that wrote it, or "
                                    "remove it",
                                    path, std::string(contents.status().message())));
  }
  contents->damage.octets += size - file.size();
  return contents;
}

bool Spool::MayAppendTo(const Preamble& preamble, uint64_t octets) const {
  if (!writing_.fd || *writing_.preamble != preamble) return false;
  const uint64_t size = segments_.back().octets;
  return size + octets <= options_.segment_octets || size == writing_.first_entry;
}

absl::Status Spool::BeginSegment(const Preamble& preamble, uint64_t octets) {
  const std::vector<uint8_t> head = EncodeSegmentHead(preamble);
  if (head.size() > kLargestSegment) {
    return absl::InvalidArgumentError("the templates are too long for a spool");
  }
  // An empty one makes room for the next.
  writing_ = {};
  Trim();
  if (octets_ + head.size() + octets > options_.max_octets) return Full();
  const std::string path = PathOf(next_number_);
  Socket fd(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return DiskError("make", path, errno);
  if (const int error = AppendWhole(fd.fd(), head, 0); error != 0) {
    unlink(path.c_str());
    return DiskError("write", path, error);
  }
  segments_.push_back({.number = next_number_++, .octets = head.size(), .is_dirty = true});
  octets_ += head.size();
  writing_ = {.fd = std::move(fd),
              .preamble = std::make_shared<const Preamble>(preamble),
              .preamble_crc = CrcOf(preamble),
              .first_entry = static_cast<uint32_t>(head.size())};
  return absl::OkStatus();
}

absl::Status Spool::Full() const {
  return absl::ResourceExhaustedError(
      fmt::format("spool {} has reached its limit of {} octets; raise it, or make the collector "
                  "reachable",
                  options_.directory, options_.max_octets));
}

absl::Status Spool::Append(const ipfix::Message& message, const Preamble& preamble) {
  if (message.octets.size() > kLargestMessage) {
    return absl::InvalidArgumentError(
        fmt::format("a message of {} octets is longer than any of IPFIX", message.octets.size()));
  }
  const size_t size = kEntryHeaderOctets + message.octets.size();
  if (!MayAppendTo(preamble, size)) {
    if (absl::Status status = BeginSegment(preamble, size); !status.ok()) return status;
  } else if (octets_ + size > options_.max_octets) {
    return Full();
  }
  const std::vector<uint8_t> octets = EncodeEntry(message, writing_.preamble_crc);
  Segment& segment = segments_.back();
  if (const int error = AppendWhole(writing_.fd.fd(), octets, segment.octets); error != 0) {
    return DiskError("write", PathOf(segment.number), error);
  }
  if (reading_.number == segment.number) {
    reading_.entries.push_back({.offset = static_cast<uint32_t>(segment.octets),
                                .length = static_cast<uint32_t>(message.octets.size()),
                                .records = message.records});
  }
  StoreTally({.messages = writing_.tally.messages + 1,
              .records = writing_.tally.records + message.records});
  segment.octets += octets.size();
  octets_ += octets.size();
  ++segment.messages;
  ++messages_;
  segment.records += message.records;
  records_ += message.records;
  return absl::OkStatus();
}

absl::Status Spool::PutBefore(std::span<const ipfix::Message* const> messages,
                              const Preamble& preamble) {
  Segment segment{.number = segments_.front().number - 1,
                  .messages = messages.size(),
                  .is_dirty = true};
  const std::string path = PathOf(segment.number);
  if (segment.number == 0) {
    return absl::ResourceExhaustedError(
        fmt::format("spool {} has no number left for a file before {}", options_.directory,
                    PathOf(segments_.front().number)));
  }
  for (const ipfix::Message* message : messages) segment.records += message->records;
  std::vector<uint8_t> octets =
      EncodeSegmentHead(preamble, {.messages = static_cast<uint32_t>(segment.messages),
                                   .records = static_cast<uint32_t>(segment.records)});
  const uint32_t preamble_crc = CrcOf(preamble);
  for (const ipfix::Message* message : messages) {
    const std::vector<uint8_t> entry = EncodeEntry(*message, preamble_crc);
    octets.insert(octets.end(), entry.begin(), entry.end());
  }
  segment.octets = octets.size();
  if (segment.octets > kLargestFile || octets_ + segment.octets > options_.max_octets) return Full();
  const Socket fd(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return DiskError("make", path, errno);
  if (const int error = AppendWhole(fd.fd(), octets, 0); error != 0) {
    unlink(path.c_str());
    return DiskError("write", path, error);
  }
  messages_ += segment.messages;
  records_ += segment.records;
  octets_ += segment.octets;
  segments_.push_front(segment);
  return absl::OkStatus();
}

const Spool::Item* Spool::At(size_t index) {
  while (ahead_.size() <= index) {
    if (!ReadAhead()) return nullptr;
  }
  return &ahead_[index].item;
}

bool Spool::ReadAhead() {
  while (true) {
    if (reading_.entries.empty()) {
      const auto next =
          std::find_if(segments_.begin(), segments_.end(),
                       [&](const Segment& segment) { return segment.number > reading_.number; });
      if (next == segments_.end()) return false;
      BeginReading(*next);
    } else {
      const Entry entry = reading_.entries.front();
      reading_.entries.pop_front();
      const size_t octets = kEntryHeaderOctets + entry.length;
      Item item{.preamble = reading_.preamble};
      if (DecodeEntry(Read(reading_.fd.fd(), entry.offset, octets), entry, item.message)) {
        ahead_.push_back({std::move(item), reading_.number, entry.end()});
        return true;
      }
      const auto segment =
          std::find_if(segments_.begin(), segments_.end(),
                       [&](const Segment& any) { return any.number == reading_.number; });
      Lose(*segment, {.entries = 1, .records = entry.records, .octets = octets});
    }
    Trim();
  }
}

void Spool::BeginReading(Segment& segment) {
  Socket fd;
  absl::StatusOr<SegmentContents> contents = Load(segment.number, fd);
  if (!contents.ok()) {
    // It has gone since it was checked or written.
    if (writing_.fd && segment.number == segments_.back().number) writing_ = {};
    contents = SegmentContents{};
  }
  std::vector<Entry>& entries = contents->entries;
  // A position that cannot be read any more brings back what was popped by an earlier agent.
  if (entries.size() > segment.messages) {
    entries.erase(entries.begin(), entries.end() - static_cast<ptrdiff_t>(segment.messages));
  }
  const uint64_t records = std::min(segment.records, RecordsOf(entries));
  Lose(segment, {.entries = segment.messages - entries.size(),
                 .records = segment.records - records,
                 .octets = 0});
  // The same templates need not be sent again because a new file begins.
  if (reading_.preamble == nullptr || contents->preamble == nullptr ||
      *reading_.preamble != *contents->preamble) {
    reading_.preamble = std::move(contents->preamble);
  }
  reading_.number = segment.number;
  reading_.fd = std::move(fd);
  reading_.entries.assign(entries.begin(), entries.end());
}

void Spool::Lose(Segment& segment, const Damage& lost) {
  segment.messages -= lost.entries;
  segment.records -= lost.records;
  messages_ -= lost.entries;
  records_ -= lost.records;
  damage_ += lost;
}

void Spool::Pop() {
  if (Front() == nullptr) return;
  const Ahead popped = std::move(ahead_.front());
  ahead_.pop_front();
  // All before it are popped or lost, so it is of the first segment.
  Segment& segment = segments_.front();
  --segment.messages;
  --messages_;
  segment.records -= popped.item.message.records;
  records_ -= popped.item.message.records;
  if (segment.messages > 0) {
    StorePosition(popped.end);
  } else {
    Trim();
  }
}

void Spool::Trim() {
  while (!segments_.empty() && segments_.front().messages == 0) {
    Segment& first = segments_.front();
    if (writing_.fd && segments_.size() == 1) {
      // Begun again from its preamble, which saves a file for each message when few wait.
      if (first.octets > writing_.first_entry &&
          ftruncate(writing_.fd.fd(), static_cast<off_t>(writing_.first_entry)) == 0) {
        octets_ -= first.octets - writing_.first_entry;
        first.octets = writing_.first_entry;
        StorePosition(writing_.first_entry);
        StoreTally({});
      }
      return;
    }
    unlink(PathOf(first.number).c_str());
    octets_ -= first.octets;
    segments_.pop_front();
    position_ = Socket();
  }
}

void Spool::StorePosition(uint32_t offset) {
  Segment& first = segments_.front();
  if (!position_) position_ = Socket(open(PathOf(first.number).c_str(), O_WRONLY | O_CLOEXEC));
  const std::vector<uint8_t> octets = EncodePosition(offset);
  // Where this fails messages are sent twice after a restart, which is better than none.
  (void)!pwrite(position_.fd(), octets.data(), octets.size(), kPositionAt);
  first.is_dirty = true;
}

void Spool::StoreTally(const Tally& tally) {
  writing_.tally = tally;
  const std::vector<uint8_t> octets = EncodeTally(tally);
  // Where this fails a crash may take more than is then told.
  (void)!pwrite(writing_.fd.fd(), octets.data(), octets.size(), kTallyAt);
}

Damage Spool::TakeDamage() { return std::exchange(damage_, {}); }

absl::Status Spool::Close() {
  writing_ = {};
  Trim();
  absl::Status result;
  for (const Segment& segment : segments_) {
    if (!segment.is_dirty) continue;
    const Socket fd(open(PathOf(segment.number).c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd || fdatasync(fd.fd()) != 0) {
      result = DiskError("bring to the disk", PathOf(segment.number), errno);
    }
  }
  if (const int error = transport::SyncDirectory(options_.directory); error != 0 && result.ok()) {
    result = DiskError("bring to the disk", options_.directory, error);
  }
  lock_ = Socket();
  return result;
}

}  // namespace sockflow::delivery
