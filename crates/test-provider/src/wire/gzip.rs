//! A gzip bomb, made without a compressor.

/// A gzip member (RFC 1952) of zeros, without its trailer: nobody should get that far.
pub(super) fn zeros(megabytes: usize) -> Vec<u8> {
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let (mut filled, mut byte) = (0, 0u8);
    let mut bit = |one: bool| {
        byte |= u8::from(one) << filled;
        filled += 1;
        if filled == 8 {
            bytes.push(byte);
            (filled, byte) = (0, 0);
        }
    };
    // RFC 1951 3.2.6: last block, fixed codes, the literal 0; then "258 bytes from 1 back" over and over.
    for one in [1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0] {
        bit(one == 1);
    }
    for _ in 0..megabytes * 1024 * 1024 / 258 {
        for one in [1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0] {
            bit(one == 1);
        }
    }
    bytes
}
