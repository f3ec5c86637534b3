// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "sockflow/time.h"
#include "sockflow/transport.h"
#include "transport/compressor.h"
#include "transport/part_file.h"

namespace sockflow::transport {

// Writes IPFIX files (RFC 5655): each is one transport session, its messages one after another.
//
// `path` is a directory, or a directory and the beginning of a name:
//   /var/lib/flows       /var/lib/flows/sockflow-20261121T101500Z.ipfix
//   /var/lib/flows/web   /var/lib/flows/web-20261121T101500Z.ipfix.zst
// The time is that of the first message, in UTC. A name is never used twice and nothing is ever
// overwritten: what begins in the same second is called ..Z_001.ipfix. While it is written, a file
// is hidden (.sockflow-..Z.ipfix.part, in the same directory). It gets its name when it is on the
// disk and nothing more will be written to it: what has a name is complete.
//
// A file begins with a message, so none is empty. Its session ends (kSessionOver, OK) when the next
// message would make it longer than max_octets, as ls shows it, and at the multiples of max_age
// since 1970, as nfcapd does it: with 5 minutes at 10:15:00, 10:20:00 whenever the agent was
// started.
//
// Without compression a message is in the file when Send returns; the kernel brings it to the disk.
// With compression messages are collected in memory for one compressed unit (Compressor) of
// kBlockOctets, and at most kBlockWait; until it is in the file they are unconfirmed(). A crash of
// the agent loses that much, a crash of the host also what the kernel had not written yet (about 30
// seconds). The next Open completes what a crash left (CompleteLeftovers).
//
// When there is no room the file is cut back to whole messages and gets its name, and the session
// is over with kResourceExhausted. Open refuses to begin anew while the disk has less than
// kLeastRoom, so that no row of tiny files takes the last of it.
//
// The process must ignore SIGXFSZ, which a limit of the file size (ulimit -f) would kill it with.
// File operations cannot be interrupted: no deadline holds where the disk hangs.
class FileTransport : public Transport {
 public:
  // Below this a file could be too small for templates and data.
  static constexpr uint64_t kSmallestMaxOctets = 256 << 10;
  static constexpr uint64_t kLeastRoom = 1 << 20;
  static constexpr size_t kBlockOctets = 256 << 10;  // before compression
  static constexpr std::chrono::seconds kBlockWait{5};

  struct Options {
    std::string path;
    uint64_t max_octets = 0;  // 0: no limit
    Duration max_age{};       // 0: no limit, else at least a second
    Compression compression = Compression::kNone;
    // Told what happened to files that were left unfinished, a sentence for each.
    std::function<void(const std::string&)> note = [](const std::string&) {};
    std::function<Clock::time_point()> now = Clock::now;
    std::function<Time()> wall_clock = [] { return Time(std::chrono::system_clock::now()); };
  };

  // kInvalidArgument, kUnimplemented: the options are wrong, and why. Looks at no file yet.
  static absl::StatusOr<std::unique_ptr<FileTransport>> Make(Options options);
  // Without Close the file stays hidden, as after a crash.
  ~FileTransport() override = default;

  absl::Status Open(Waiter& waiter, Clock::time_point deadline) override;
  Result Send(Messages messages, Waiter& waiter, Clock::time_point deadline) override;
  size_t unconfirmed() override { return unconfirmed_; }
  Result Check() override;
  Clock::time_point next_check() const override;
  absl::Status Close(Waiter& waiter, Clock::time_point deadline) override;
  bool forgets_templates() const override { return false; }
  bool opens_on_demand() const override { return true; }
  const std::string& name() const override { return name_; }

 private:
  FileTransport(Options options, std::unique_ptr<Compressor> compressor);

  absl::Status CheckRoom() const;
  absl::Status Begin();
  bool HasRoom(size_t octets) const;
  // Nothing more may go into the file: it was removed (an error), or it is old enough (OK).
  bool IsOver(absl::Status& why) const;
  void Add(std::span<const uint8_t> message);
  absl::Status WriteBlock();
  // Ends the session. `why`: of the error that ends it.
  absl::Status End(absl::Status why);

  Options options_;
  std::unique_ptr<Compressor> compressor_;  // null: none
  std::string name_;
  std::string directory_;
  std::string prefix_;
  bool is_open_ = false;
  bool may_have_leftovers_ = true;

  std::unique_ptr<PartFile> file_;  // null before the first message of a session
  Clock::time_point file_end_ = Clock::time_point::max();
  uint64_t file_messages_ = 0;
  std::vector<uint8_t> block_;  // messages that are not in the file yet
  std::vector<uint8_t> compressed_;
  Clock::time_point block_end_ = Clock::time_point::max();
  size_t unconfirmed_ = 0;  // messages in block_, or in the one with which the last session broke
};

}  // namespace sockflow::transport
