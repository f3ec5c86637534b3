// SPDX-License-Identifier: MIT
#pragma once

// The records of flow_record.h for libfixbuf: 25 elements, two of them strings.

#include <fixbuf/public.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { kSessions = 64 };
enum { kInternalId = 1000, kExternalId = 900 };

struct record {
  uint64_t flow_id, start_ms, end_ms, octets, packets;
  uint64_t initiator_octets, responder_octets, initiator_packets, responder_packets;
  uint64_t reverse_octets, reverse_packets;
  uint32_t source, destination, duration;
  uint16_t source_port, destination_port;
  uint8_t event, biflow, direction, protocol, bits, version, end_reason;
  uint8_t padding[1];
  fbVarfield_t application, user;
};

// In the order of the structure.
static fbInfoElementSpec_t internal_fields[] = {
    {"flowId", 8, 0}, {"flowStartMilliseconds", 8, 0}, {"flowEndMilliseconds", 8, 0},
    {"octetDeltaCount", 8, 0}, {"packetDeltaCount", 8, 0}, {"initiatorOctets", 8, 0},
    {"responderOctets", 8, 0}, {"initiatorPackets", 8, 0}, {"responderPackets", 8, 0},
    {"reverseOctetDeltaCount", 8, 0}, {"reversePacketDeltaCount", 8, 0},
    {"sourceIPv4Address", 4, 0}, {"destinationIPv4Address", 4, 0},
    {"flowDurationMilliseconds", 4, 0}, {"sourceTransportPort", 2, 0},
    {"destinationTransportPort", 2, 0}, {"firewallEvent", 1, 0}, {"biflowDirection", 1, 0},
    {"flowDirection", 1, 0}, {"protocolIdentifier", 1, 0}, {"tcpControlBits", 1, 0},
    {"ipVersion", 1, 0}, {"flowEndReason", 1, 0}, {"paddingOctets", 1, 0},
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
    {"initiatorPackets", 8, 0}, {"responderPackets", 8, 0}, {"reverseOctetDeltaCount", 8, 0},
    {"reversePacketDeltaCount", 8, 0}, {"flowDurationMilliseconds", 4, 0},
    {"applicationName", FB_IE_VARLEN, 0}, {"userName", FB_IE_VARLEN, 0}, FB_IESPEC_NULL,
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
    r->responder_packets = r->reverse_packets = 20;
    r->reverse_octets = 100000 * i + 1040;
    r->duration = i;
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
