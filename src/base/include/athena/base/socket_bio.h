#pragma once

struct bio_st;

namespace athena {

/// What a TLS session reads from and writes to: a socket that somebody else owns and closes. OpenSSL's own calls
/// write(), which raises SIGPIPE when the peer is gone; this one does not. Null: out of memory. The caller owns it.
bio_st* make_socket_bio(int socket);

}  // namespace athena
