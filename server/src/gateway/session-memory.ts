// What one session may take of this process. Nothing else than the sum matters, so all its parts are here; each is
// there twice, for the two ends, and full at both only if both conspire.
//
//   from the peer   a message that is not complete (MAXIMUM_DATA_FRAME, in at most MAXIMUM_PARTS parts of some 350
//                   bytes beside their content), one read that has not been looked at, one that TLS has not
//                   decrypted (64 KiB each, libuv)                                                    298 KiB
//   to the peer     in its socket: SOCKET_LIMIT and the frame that went beyond it, once more as TLS has encrypted it,
//                   and some 500 bytes around each small frame                                      355 KiB
//                   before its socket: QUEUE_LIMIT and what one read of the other end can add to it, which is a
//                   frame that it completes and 64 KiB                                              272 KiB
//
// Twice that, some 80 KiB of acknowledgements remembered, and two TLS states of 30 KiB: below SESSION_MEMORY_LIMIT.

const KIBIBYTE = 1024

/** The kernel's own socket buffers come on top; `net.ipv4.tcp_rmem` and `tcp_wmem` bound those. */
export const SESSION_MEMORY_LIMIT = 2048 * KIBIBYTE

/** Stream messages have 64 KiB of data at most (wire.md), those of stock peers 1 KiB (data-plane.md 10.6). */
export const MAXIMUM_DATA_FRAME = 80 * KIBIBYTE

/** Parts that a message may come in. A stock peer cuts a frame into pieces of 4 KiB (data-plane.md 5). */
export const MAXIMUM_PARTS = 256

/** An end whose socket holds so many bytes gets the next frame when it has taken them. */
export const SOCKET_LIMIT = 32 * KIBIBYTE

/** With so many bytes waiting for an end, the other end is not read for a while. */
export const QUEUE_LIMIT = 128 * KIBIBYTE

/** What waits for one end cannot be more, unless something fails to stop the other: then its socket is closed. */
export const HALF_LIMIT = SOCKET_LIMIT + QUEUE_LIMIT + 2 * MAXIMUM_DATA_FRAME + 64 * KIBIBYTE
