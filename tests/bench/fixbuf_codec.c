// SPDX-License-Identifier: MIT

// The peer of codec_bench: libfixbuf encodes and decodes the same 22 fields as our template
// iana-end-ipv4, between C structures and messages of 1400 octets in memory. fixbuf_codec SECONDS.

#include <arpa/inet.h>
#include <fixbuf/public.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { kSessions = 64, kMessages = 64, kMessageOctets = 1400 };
enum { kInternalId = 1000, kExternalId = 403 };

struct record {
  uint64_t flow_id, start_ms, end_ms, octets, packets;
  uint64_t initiator_octets, responder_octets, initiator_packets, responder_packets;
  uint32_t source, destination;
  uint16_t source_port, destination_port;
  uint8_t event, biflow, direction, protocol, bits, version, end_reason;
  uint8_t padding[5];
  fbVarfield_t application, user;
};

// In the order of the structure.
static fbInfoElementSpec_t internal_fields[] = {
    {"flowId", 8, 0}, {"flowStartMilliseconds", 8, 0}, {"flowEndMilliseconds", 8, 0},
    {"octetDeltaCount", 8, 0}, {"packetDeltaCount", 8, 0}, {"initiatorOctets", 8, 0},
    {"responderOctets", 8, 0}, {"initiatorPackets", 8, 0}, {"responderPackets", 8, 0},
    {"sourceIPv4Address", 4, 0}, {"destinationIPv4Address", 4, 0}, {"sourceTransportPort", 2, 0},
    {"destinationTransportPort", 2, 0}, {"firewallEvent", 1, 0}, {"biflowDirection", 1, 0},
    {"flowDirection", 1, 0}, {"protocolIdentifier", 1, 0}, {"tcpControlBits", 1, 0},
    {"ipVersion", 1, 0}, {"flowEndReason", 1, 0}, {"paddingOctets", 5, 0},
    {"applicationName", FB_IE_VARLEN, 0}, {"userName", FB_IE_VARLEN, 0}, FB_IESPEC_NULL,
};

// In the order of the template.
static fbInfoElementSpec_t external_fields[] = {
    {"flowId", 8, 0}, {"firewallEvent", 1, 0}, {"biflowDirection", 1, 0}, {"flowDirection", 1, 0},
    {"protocolIdentifier", 1, 0}, {"tcpControlBits", 1, 0}, {"sourceTransportPort", 2, 0},
    {"destinationTransportPort", 2, 0}, {"flowStartMilliseconds", 8, 0},
    {"flowEndMilliseconds", 8, 0}, {"ipVersion", 1, 0}, {"sourceIPv4Address", 4, 0},
    {"destinationIPv4Address", 4, 0}, {"flowEndReason", 1, 0}, {"octetDeltaCount", 8, 0},
    {"packetDeltaCount", 8, 0}, {"initiatorOctets", 8, 0}, {"responderOctets", 8, 0},
    {"initiatorPackets", 8, 0}, {"responderPackets", 8, 0}, {"applicationName", FB_IE_VARLEN, 0},
    {"userName", FB_IE_VARLEN, 0}, FB_IESPEC_NULL,
};

static void check(gboolean ok, const char *what, GError *error) {
  if (ok) return;
  fprintf(stderr, "%s: %s\n", what, error ? error->message : "failed");
  exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static fbTemplate_t *make_template(fbInfoModel_t *model, fbInfoElementSpec_t *fields) {
  GError *error = NULL;
  fbTemplate_t *made = fbTemplateAlloc(model);
  check(fbTemplateAppendSpecArray(made, fields, 0xffffffff, &error), "template", error);
  return made;
}

static fbSession_t *make_session(fbInfoModel_t *model) {
  GError *error = NULL;
  fbSession_t *session = fbSessionAlloc(model);
  check(fbSessionAddTemplate(session, TRUE, kInternalId, make_template(model, internal_fields),
                             &error) != 0,
        "internal template", error);
  return session;
}

static void fill(struct record *records) {
  memset(records, 0, kSessions * sizeof(*records));
  for (int i = 0; i < kSessions; ++i) {
    struct record *r = &records[i];
    r->flow_id = 0x123456789abc0000 + i;
    r->start_ms = r->end_ms = 1800000000000;
    r->octets = 1000 * i + 520;
    r->packets = r->initiator_packets = 10;
    r->initiator_octets = 1000 * i;
    r->responder_octets = 100000 * i;
    r->responder_packets = 20;
    r->source = 0xc0000200 + i;
    r->destination = 0xc6336400 + i;
    r->source_port = 40000 + i;
    r->destination_port = 443;
    r->event = 2;
    r->biflow = r->direction = 1;
    r->protocol = 6;
    r->bits = 0x13;
    r->version = 4;
    r->end_reason = 3;
    r->application.buf = (uint8_t *)"nginx";
    r->application.len = 5;
    r->user.buf = (uint8_t *)"www-data";
    r->user.len = 8;
  }
}

static uint8_t messages[kMessages][kMessageOctets];
static size_t lengths[kMessages];
static int message_count;

static void append(fBuf_t *buffer, fbExporter_t *exporter, uint8_t *message,
                   struct record *record) {
  GError *error = NULL;
  if (fBufAppend(buffer, (uint8_t *)record, sizeof(*record), &error)) return;
  check(g_error_matches(error, FB_ERROR_DOMAIN, FB_ERROR_EOM), "append", error);
  g_clear_error(&error);
  check(fBufEmit(buffer, &error), "emit", error);
  if (message_count < kMessages) {
    lengths[message_count] = fbExporterGetMsgLen(exporter);
    memcpy(messages[message_count++], message, kMessageOctets);
  }
  check(fBufAppend(buffer, (uint8_t *)record, sizeof(*record), &error), "append", error);
}

static double encode(fbInfoModel_t *model, double seconds) {
  static uint8_t message[kMessageOctets];
  static struct record records[kSessions];
  GError *error = NULL;
  fill(records);
  fbSession_t *session = make_session(model);
  fbExporter_t *exporter = fbExporterAllocBuffer(message, sizeof(message));
  fBuf_t *buffer = fBufAllocForExport(session, exporter);
  // Into the first message at once, because the session has a buffer already.
  check(fbSessionAddTemplate(session, FALSE, kExternalId, make_template(model, external_fields),
                             &error) != 0,
        "external template", error);
  fBufSetAutomaticMode(buffer, FALSE);
  check(fBufSetInternalTemplate(buffer, kInternalId, &error), "internal", error);
  check(fBufSetExportTemplate(buffer, kExternalId, &error), "external", error);

  long count = 0;
  const double begin = now();
  double took = 0;
  while (took < seconds) {
    for (int round = 0; round < 100; ++round) {
      for (int i = 0; i < kSessions; ++i) append(buffer, exporter, message, &records[i]);
    }
    count += 100 * kSessions;
    took = now() - begin;
  }
  fBufFree(buffer);
  return (double)count / took;
}

static double decode(fbInfoModel_t *model, double seconds) {
  GError *error = NULL;
  fBuf_t *buffer = fBufAllocForCollection(make_session(model), NULL);
  fBufSetAutomaticMode(buffer, FALSE);
  check(fBufSetInternalTemplate(buffer, kInternalId, &error), "internal", error);
  uint32_t count = 0;
  uint64_t sum = 0;
  const double begin = now();
  double took = 0;
  for (int first = 0; took < seconds; first = 1) {  // the template is in the first message only
    for (int i = first; i < message_count; ++i) {
      struct record record;
      size_t size = sizeof(record);
      // Numbered anew, or libfixbuf would write a warning for each message.
      const uint32_t sequence = htonl(count);
      memcpy(messages[i] + 8, &sequence, sizeof(sequence));
      fBufSetBuffer(buffer, messages[i], lengths[i]);
      while (fBufNext(buffer, (uint8_t *)&record, &size, &error)) {
        sum += record.flow_id + record.application.len;
        ++count;
        size = sizeof(record);
      }
      check(g_error_matches(error, FB_ERROR_DOMAIN, FB_ERROR_EOM) ||
                g_error_matches(error, FB_ERROR_DOMAIN, FB_ERROR_BUFSZ),
            "decode", error);
      g_clear_error(&error);
    }
    took = now() - begin;
  }
  if (sum == 0) exit(1);
  fBufFree(buffer);
  return (double)count / took;
}

int main(int argc, char **argv) {
  const double seconds = argc > 1 ? atof(argv[1]) : 0.3;
  fbInfoModel_t *model = fbInfoModelAlloc();
  const double encoded = encode(model, seconds);
  printf("{\"encode iana-end-ipv4\": %.0f, \"decode iana-end-ipv4\": %.0f}\n", encoded,
         decode(model, seconds));
  return 0;
}
