#pragma once

// For tests: certificates made on the spot.

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <unistd.h>

namespace athena::http::testing {

/// A key and a self-signed certificate for localhost, in files that go with the object.
class Certificate {
 public:
  explicit Certificate(const std::string& name)
      : base_(::testing::TempDir() + name + "." + std::to_string(::getpid())) {
    renew(name);
  }
  ~Certificate() {
    std::remove(certificate_file().c_str());
    std::remove(key_file().c_str());
  }
  Certificate(const Certificate&) = delete;
  Certificate& operator=(const Certificate&) = delete;

  std::string certificate_file() const { return base_ + ".crt"; }
  std::string key_file() const { return base_ + ".key"; }

  /// Another key and certificate in the same files.
  void renew(const std::string& name) {
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), X509_free);
    X509_set_version(certificate.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3'600);
    X509_set_pubkey(certificate.get(), key.get());
    X509_NAME* subject = X509_get_subject_name(certificate.get());
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name.c_str()), -1,
                               -1, 0);
    X509_set_issuer_name(certificate.get(), subject);
    X509_sign(certificate.get(), key.get(), EVP_sha256());
    write(certificate_file(), [&](FILE* file) { PEM_write_X509(file, certificate.get()); });
    write(key_file(),
          [&](FILE* file) { PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
  }

 private:
  template <class Write>
  static void write(const std::string& path, Write put) {
    FILE* file = std::fopen(path.c_str(), "w");
    put(file);
    std::fclose(file);
  }

  const std::string base_;
};

}  // namespace athena::http::testing
