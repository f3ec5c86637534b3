// SPDX-License-Identifier: MIT
#include "transport/tls_context.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "tests/unit/transport/tls_test.h"

namespace sockflow::transport {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class TlsContextTest : public TlsFixture {
 protected:
  static std::string ErrorOf(TlsOptions options) {
    const auto context = TlsContext::Load(std::move(options), TlsContext::kStream);
    if (context.ok()) return "";
    EXPECT_EQ(context.status().code(), absl::StatusCode::kInvalidArgument);
    return Text(context.status());
  }
};

TEST_F(TlsContextTest, NothingHasToBeGiven) {
  EXPECT_EQ(ErrorOf({}), "");
  EXPECT_EQ(ErrorOf(Mutual()), "");
}

TEST_F(TlsContextTest, FilesThatAreMissing) {
  const std::string none = files_ / "none.pem";
  EXPECT_EQ(ErrorOf({.ca = none}),
            "tls.ca: " + none + ": No such file or directory; name a PEM file");
  EXPECT_EQ(ErrorOf({.certificate = none, .key = key_file_}),
            "tls.certificate: " + none + ": No such file or directory; name a PEM file");
  EXPECT_EQ(ErrorOf({.certificate = own_file_, .key = none}),
            "tls.key: " + none + ": No such file or directory; name a PEM file");
  const std::string directory = files_.path();
  EXPECT_EQ(ErrorOf({.certificate = directory, .key = key_file_}),
            "tls.certificate: " + directory + ": Is a directory; name a PEM file");
}

TEST_F(TlsContextTest, FilesThatMayNotBeRead) {
  if (geteuid() == 0) GTEST_SKIP() << "root may read all";
  chmod(key_file_.c_str(), 0);
  EXPECT_EQ(ErrorOf(Mutual()), "tls.key: " + key_file_ +
                                   ": Permission denied; let the user that runs sockflow read it");
}

TEST_F(TlsContextTest, OneOfTwo) {
  EXPECT_EQ(ErrorOf({.certificate = own_file_}),
            "tls.key is missing beside tls.certificate; set both, or none");
  EXPECT_EQ(ErrorOf({.key = key_file_}),
            "tls.certificate is missing beside tls.key; set both, or none");
}

TEST_F(TlsContextTest, FilesThatHoldSomethingElse) {
  for (const std::string& text : {std::string(), std::string("hello\n"), KeyPem(own_)}) {
    const std::string bad = files_.Write("bad.pem", text);
    EXPECT_EQ(ErrorOf({.ca = bad}),
              "tls.ca: " + bad +
                  ": it has no certificate in PEM form; name the file of the collector's CA");
    EXPECT_EQ(ErrorOf({.certificate = bad, .key = key_file_}),
              "tls.certificate: " + bad +
                  ": it has no certificate in PEM form; convert one in DER form with \"openssl x509 "
                  "-inform der\"");
  }
  EXPECT_EQ(ErrorOf({.certificate = own_file_, .key = own_file_}),
            "tls.key: " + own_file_ + ": it has no private key in PEM form; name one that has");
  EXPECT_EQ(ErrorOf({.ca = "/dev/zero"}),
            "tls.ca: /dev/zero: it is longer than 4 MiB; name a PEM file");
  const std::string half = files_.Write(
      "half.pem", CertificatePem(ca_) + CertificatePem(stranger_ca_).substr(0, 200) + "\n");
  EXPECT_EQ(ErrorOf({.ca = half}),
            "tls.ca: " + half + ": its certificate number 2 is damaged (bad end line); replace it");
}

TEST_F(TlsContextTest, KeysThatCannotBeUsed) {
  EXPECT_EQ(ErrorOf({.certificate = own_file_, .key = files_.Write("other.key", KeyPem(sink_))}),
            "tls.key: " + (files_ / "other.key") + ": it is not the key of the certificate in " +
                own_file_ + "; name the key that this was made for");
  const std::string secret = files_.Write("secret.key", KeyPem(own_, "passphrase"));
  EXPECT_EQ(ErrorOf({.certificate = own_file_, .key = secret}),
            "tls.key: " + secret +
                ": it is encrypted, and an agent cannot ask for the passphrase; decrypt it with "
                "\"openssl pkey\" and let nobody else read it");
}

TEST_F(TlsContextTest, ADirectoryOfCas) {
  const std::string directory = files_ / "cas";
  std::filesystem::create_directory(directory);
  files_.Write("cas/ca.pem", CertificatePem(ca_));
  EXPECT_EQ(ErrorOf({.ca = directory}),
            "tls.ca: " + directory +
                ": the directory has no CA certificate that can be read by its hash; run \"openssl "
                "rehash\" on it");
  char name[16];
  snprintf(name, sizeof(name), "cas/%08lx.0", X509_subject_name_hash(ca_.certificate.get()));
  files_.Write(name, CertificatePem(ca_));
  EXPECT_EQ(ErrorOf({.ca = directory}), "");
}

TEST_F(TlsContextTest, OurCertificateThatCollectorsWillRefuse) {
  const auto warnings = [&](const Identity& identity) {
    files_.Write("own.pem", CertificatePem(identity));
    files_.Write("own.key", KeyPem(identity));
    std::vector<std::string> found;
    for (const char* scheme : {"tls", "dtls"}) {
      const auto made = MakeSecureTransport({scheme, "sink.example", 4740}, Mutual(), found);
      EXPECT_TRUE(made.ok()) << made.status();
      EXPECT_EQ((*made)->name(), std::string(scheme) + "://sink.example:4740");
      EXPECT_EQ((*made)->forgets_templates(), std::string(scheme) == "dtls");
    }
    return found;
  };
  const Identity expired = Certify(&ca_, "exporter", "", -7200, -3600);
  const std::string old = "tls.certificate: " + own_file_ + ": it expired on " +
                          ToString(X509_get0_notAfter(expired.certificate.get())) +
                          ", and collectors will refuse it; renew it";
  EXPECT_THAT(warnings(expired), ElementsAre(old, old));
  const Identity early = Certify(&ca_, "exporter", "", 3600, 7200);
  const std::string young = "tls.certificate: " + own_file_ + ": it is not valid before " +
                            ToString(X509_get0_notBefore(early.certificate.get())) +
                            ", and collectors will refuse it until then; check this host's clock";
  EXPECT_THAT(warnings(early), ElementsAre(young, young));
  EXPECT_THAT(warnings(own_), IsEmpty());
}

}  // namespace
}  // namespace sockflow::transport
