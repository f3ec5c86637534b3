// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "collector/collect.h"
#include "collector/complaints.h"
#include "collector/output.h"
#include "collector/record_printer.h"
#include "sockflow/ipfix/message_decoder.h"
#include "transport/udp_listener.h"
#include "transport/url.h"

namespace sockflow::collector {

// Receives, decodes and prints, in one thread.
class Collector {
 public:
  // Opens the output, then the sockets: who cannot write must not take messages from a collector
  // that can.
  static absl::StatusOr<std::unique_ptr<Collector>> Open(const CollectOptions& options);
  // Listens on `urls` instead of options.listen. Port 0 is any that is free.
  static absl::StatusOr<std::unique_ptr<Collector>> Open(const CollectOptions& options,
                                                         std::span<const transport::Url> urls);

  // Until `stop_fd` is readable, the duration is over or the reader of the output has gone away.
  // Decodes what had arrived by then, and writes it unless that takes more than a second. An error
  // if lines were lost at the output.
  absl::Status Run(int stop_fd);

  // URLs with the true ports.
  const std::vector<std::string>& listening() const { return listening_; }
  // All counters in one line.
  std::string Summary();

 private:
  using Moment = std::chrono::steady_clock::time_point;

  Collector(const CollectOptions& options, std::unique_ptr<Output> output,
            std::vector<std::unique_ptr<transport::UdpListener>> listeners);

  // True if something came.
  bool Receive(size_t listener);
  void Take(size_t listener, std::string_view peer, std::span<const uint8_t> message);
  void SetSender(size_t listener, std::string_view peer);
  void TellMalformed(const ipfix::MessageDecoder::Stats& before, const absl::Status& status);
  void TellUnknownTemplate();
  void TellLosses();

  bool WaitsLongEnough(bool quiet) const;
  void Write();
  void WriteRest();

  const Duration duration_;
  std::unique_ptr<Output> output_;
  std::vector<std::unique_ptr<transport::UdpListener>> listeners_;
  std::vector<std::string> listening_;
  std::unique_ptr<RecordPrinter> printer_;
  ipfix::MessageDecoder decoder_;
  Complaints complaints_;

  Moment now_{};
  Moment begin_{};
  Moment next_look_{};  // at the losses
  // Sender of the message before this one; most messages come from the same.
  size_t sender_listener_ = SIZE_MAX;
  std::string sender_;
  std::string session_;  // what the decoder calls it
  absl::flat_hash_set<std::string> told_of_templates_;

  Moment waiting_since_{};  // the oldest line
  bool output_is_busy_ = false;
  bool output_is_closed_ = false;
  uint64_t drops_told_ = 0;
};

}  // namespace sockflow::collector
