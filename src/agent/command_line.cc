// SPDX-License-Identifier: MIT
#include "agent/command_line.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/collectors.h"
#include "agent/log.h"
#include "agent/run.h"
#include "collector/collect.h"
#include "fmt/format.h"
#include "sockflow/config.h"
#include "spdlog/spdlog.h"

namespace sockflow {
namespace {

constexpr std::string_view kCommands[] = {"run", "collect", "fields"};

// What the command line says, before it is laid over the configuration file.
struct RunFlags {
  std::optional<std::string> config_file;
  std::vector<std::string> collectors;
  std::optional<std::string> tier, interface, filter, read, profile, log_level;
  bool pcap = false, check = false;
  std::string print;  // empty: not
  double duration = 0;
};

struct CollectFlags {
  std::vector<std::string> listen;
  std::string format = "text";
  std::string output = "-";
  double duration = 0;
  std::optional<std::string> log_level;
};

struct FieldsFlags {
  std::optional<std::string> profile;
  std::string format = "text";
};

int Complain(const std::string& message) {
  ComplainAtStart("sockflow: " + message);
  return kExitUsage;
}

Duration Seconds(double seconds) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

// Reads an option's value with one of the configuration's own readers into `target`; says what is wrong
// as "OPTION: message".
template <typename T, typename Reader, typename Target>
bool Override(const std::optional<T>& value, std::string_view option, Reader reader, Target& target,
              std::string& error) {
  if (!value) return true;
  auto parsed = reader(*value);
  if (!parsed.ok()) {
    error = fmt::format("{}: {}", option, std::string(parsed.status().message()));
    return false;
  }
  target = *std::move(parsed);
  return true;
}

// Lays the command line over the configuration. Empty if all is well.
std::string ApplyFlags(const RunFlags& flags, Config& config) {
  std::string error;
  if (!Override(flags.tier, "--tier", ParseTier, config.capture.tier, error) ||
      !Override(flags.interface, "--interface", ParseInterfaces, config.interfaces, error) ||
      !Override(flags.log_level, "--log-level", ParseLogLevel, config.log.level, error)) {
    return error;
  }
  if (flags.pcap) config.capture.tier = Tier::kPcap;
  if (flags.filter) config.packet_filter = *flags.filter;
  if (!flags.collectors.empty()) config.collectors = {CollectorGroup{}};
  for (const std::string& url : flags.collectors) {
    CollectorConfig collector;
    if (!Override(std::optional(url), "--collector", ParseCollectorUrl, collector, error)) {
      return error;
    }
    collector.place.key = collector.endpoints.front().place.key = "--collector";
    config.collectors.front().collectors.push_back(std::move(collector));
  }
  for (CollectorGroup& group : config.collectors) {
    for (CollectorConfig& collector : group.collectors) {
      if (!Override(flags.profile, "--profile", ParseProfileName, collector.profile, error)) {
        return error;
      }
      if (flags.profile) collector.fields.clear();
    }
  }
  return std::string(CheckCollectors(config.collectors).message());
}

bool SendsToStandardOutput(const Config& config) {
  for (const CollectorGroup& group : config.collectors) {
    for (const CollectorConfig& collector : group.collectors) {
      for (const EndpointConfig& endpoint : collector.endpoints) {
        if (endpoint.url.starts_with("stdout:")) return true;
      }
    }
  }
  return false;
}

int Run(const RunFlags& flags) {
  const auto file = FindConfigFile(flags.config_file);
  if (!file.ok()) return Complain(std::string(file.status().message()));
  auto loaded = LoadConfig(*file);
  if (!loaded.ok()) {
    // One line for each fault, each naming file, line and key.
    ComplainAtStart(std::string(loaded.status().message()));
    return kExitUsage;
  }
  RunOptions options{.config = std::move(loaded->config), .duration = Seconds(flags.duration),
                     .read = flags.read};
  if (const std::string error = ApplyFlags(flags, options.config); !error.empty()) {
    return Complain(error);
  }
  if (!flags.print.empty()) {
    options.print = collector::ParseFormat(flags.print);
    if (!options.print) {
      return Complain(fmt::format("--print: \"{}\" is no format; allowed: text, json", flags.print));
    }
  }
  if (options.print && SendsToStandardOutput(options.config)) {
    return Complain("--print: a collector is stdout: already; leave out one of the two");
  }
  if (file->has_value()) {
    options.reload_config = [flags, name = *file]() -> absl::StatusOr<Config> {
      auto again = LoadConfig(name);
      if (!again.ok()) return again.status();
      if (const std::string fault = ApplyFlags(flags, again->config); !fault.empty()) {
        return absl::InvalidArgumentError(fault);
      }
      SetUpLog(again->config.log.level, again->config.log.format);
      return again->config;
    };
  }
  SetUpLog(options.config.log.level, options.config.log.format);
  for (const std::string& note : loaded->notes) spdlog::info("{}", note);
  if (flags.check) {
    for (const absl::Status& usable :
         {CheckCapture(options.config), CheckTransports(options.config)}) {
      if (!usable.ok()) return Complain(std::string(usable.message()));
    }
    std::cout << "configuration OK: " << file->value_or("defaults") << "\n";
    return kExitOk;
  }
  return RunAgent(options);
}

int Collect(const CollectFlags& flags) {
  collector::CollectOptions options{.output = flags.output, .duration = Seconds(flags.duration)};
  if (!flags.listen.empty()) options.listen = flags.listen;
  const auto format = collector::ParseFormat(flags.format);
  if (!format) {
    return Complain(fmt::format("--format: \"{}\" is no format; allowed: text, json", flags.format));
  }
  options.format = *format;
  LogLevel level = LogLevel::kInfo;
  std::string error;
  if (!Override(flags.log_level, "--log-level", ParseLogLevel, level, error)) return Complain(error);
  SetUpLog(level, LogFormat::kAuto);
  return collector::RunCollect(options);
}

int Fields(const FieldsFlags& flags) {
  std::optional<ipfix::Profile> profile;
  std::string error;
  if (!Override(flags.profile, "--profile", ParseProfileName, profile, error)) return Complain(error);
  constexpr std::pair<std::string_view, ipfix::ListFormat> kFormats[] = {
      {"text", ipfix::ListFormat::kText},
      {"csv", ipfix::ListFormat::kCsv},
      {"markdown", ipfix::ListFormat::kMarkdown}};
  for (const auto& [name, format] : kFormats) {
    if (flags.format != name) continue;
    std::cout << ipfix::ListFields(profile, format);
    return kExitOk;
  }
  return Complain(
      fmt::format("--format: \"{}\" is no format; allowed: text, csv, markdown", flags.format));
}

CLI::Option* AddDuration(CLI::App* app, double& duration) {
  return app->add_option("--duration", duration, "End by itself after so many seconds")
      ->check(CLI::PositiveNumber)
      ->type_name("SECONDS");
}

void AddRun(CLI::App& app, RunFlags& flags) {
  CLI::App* run = app.add_subcommand(
      "run", "Watch the TCP sessions of this host and export them (the default command)");
  run->add_option("--config", flags.config_file,
                  "Configuration file; otherwise ./config.yaml, then /etc/sockflow/config.yaml")
      ->type_name("FILE");
  run->add_option("--collector", flags.collectors,
                  "Send to this collector instead of the configured ones: udp://HOST[:4739], "
                  "tcp://HOST[:4739], sctp://HOST[:4739], tls://HOST[:4740], dtls://HOST[:4740], "
                  "file:PATH or stdout:; "
                  "may be given more than once")
      ->type_name("URL")
      ->allow_extra_args(false);
  run->add_option("--tier", flags.tier,
                  "How to capture: auto, fentry, kprobe, tracepoint, pcap (default auto: the best "
                  "that works)")
      ->type_name("TIER");
  run->add_flag("--pcap", flags.pcap, "Same as --tier pcap")->excludes(run->get_option("--tier"));
  run->add_option("--interface", flags.interface,
                  "Only sessions of these interfaces, with commas between; any: all")
      ->type_name("IF[,IF]");
  run->add_option("--filter", flags.filter,
                  "With --pcap or --read: only packets that this expression of libpcap lets pass, for "
                  "instance \"port 443\"")
      ->type_name("EXPRESSION");
  run->add_option("--read", flags.read,
                  "Export the sessions of a capture file (pcap or pcapng, also gzip; - is standard "
                  "input), then end")
      ->excludes(run->get_option("--tier"))
      ->excludes(run->get_option("--pcap"))
      ->excludes(run->get_option("--interface"))
      ->type_name("FILE");
  run->add_option("--profile", flags.profile,
                  "What to send to every collector: process (with ntop's process fields), iana "
                  "(standard fields only), fixed (those, no variable lengths), full (all there is), "
                  "ssflow (for its decoder)")
      ->type_name("PROFILE");
  run->add_option("--print", flags.print, "Each exported record on standard output too")
      ->expected(0, 1)
      ->default_str("text")
      ->type_name("[=text|json]");
  AddDuration(run, flags.duration);
  run->add_flag("--check", flags.check, "Check the configuration and end");
  run->add_option("--log-level", flags.log_level, "trace, debug, info, warning or error")
      ->type_name("LEVEL");
}

void AddCollect(CLI::App& app, CollectFlags& flags) {
  CLI::App* collect = app.add_subcommand("collect", "Receive IPFIX and print it");
  collect
      ->add_option("--listen", flags.listen,
                   "Address to receive on (default udp://0.0.0.0:4739); may be given more than once")
      ->type_name("URL")
      ->allow_extra_args(false);
  collect->add_option("--format", flags.format, "text or json (one object a line)")
      ->type_name("FORMAT")
      ->capture_default_str();
  collect->add_option("--output", flags.output, "Append to this file; - is standard output")
      ->type_name("FILE")
      ->capture_default_str();
  AddDuration(collect, flags.duration);
  collect->add_option("--log-level", flags.log_level, "trace, debug, info, warning or error")
      ->type_name("LEVEL");
}

void AddFields(CLI::App& app, FieldsFlags& flags) {
  CLI::App* fields = app.add_subcommand("fields", "List the information elements that are exported");
  fields->add_option("--profile", flags.profile, "Only those of this profile")->type_name("PROFILE");
  fields->add_option("--format", flags.format, "text, csv or markdown")
      ->type_name("FORMAT")
      ->capture_default_str();
}

// "run" may be left out: it is what a service unit and most people want.
std::vector<std::string> WithCommand(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  const auto is_command = [](std::string_view word) {
    return std::find(std::begin(kCommands), std::end(kCommands), word) != std::end(kCommands);
  };
  const bool is_about_program =
      !arguments.empty() && (arguments[0] == "--help" || arguments[0] == "-h" ||
                             arguments[0] == "--help-all" || arguments[0] == "--version");
  // A word that is no option is a mistyped command: not to be read as an argument of run.
  const bool is_option = !arguments.empty() && arguments[0].starts_with('-');
  if (arguments.empty() || (is_option && !is_about_program)) {
    arguments.insert(arguments.begin(), "run");
  } else if (!is_option && !is_command(arguments[0])) {
    arguments[0] = "?" + arguments[0];
  }
  return arguments;
}

}  // namespace

int Main(int argc, char** argv) {
  CLI::App app(
      "Tells for every TCP session of this host which process opened or accepted it, and exports that "
      "as IPFIX (RFC 7011).",
      "sockflow");
  app.set_version_flag("--version", "sockflow " SOCKFLOW_VERSION "\n");
  app.set_help_all_flag("--help-all", "Print the options of all commands");
  app.require_subcommand(1);
  app.footer("\"sockflow COMMAND --help\" tells a command's options. Exit status: 0 done, 1 failed, 2 "
             "wrong options or configuration.");
  RunFlags run;
  CollectFlags collect;
  FieldsFlags fields;
  AddRun(app, run);
  AddCollect(app, collect);
  AddFields(app, fields);

  std::vector<std::string> arguments = WithCommand(argc, argv);
  if (arguments[0].starts_with('?')) {
    return Complain(fmt::format("\"{}\" is no command; commands are run, collect and fields",
                                arguments[0].substr(1)));
  }
  std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants a vector
  try {
    app.parse(arguments);
  } catch (const CLI::ParseError& e) {
    // Help and version are "errors" of exit code 0.
    return app.exit(e) == 0 ? kExitOk : kExitUsage;
  }
  if (app.got_subcommand("collect")) return Collect(collect);
  if (app.got_subcommand("fields")) return Fields(fields);
  return Run(run);
}

}  // namespace sockflow
