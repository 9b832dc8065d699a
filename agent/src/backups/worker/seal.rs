//! restic's encryption, for files that rustic does not write: nonce, ciphertext and MAC.

use aes256ctr_poly1305aes::Aes256CtrPoly1305Aes;
use aes256ctr_poly1305aes::aead::Aead;
use bytes::Bytes;
use rustic_core::Id;
use sha2::{Digest, Sha256};

/// First byte of zstd-compressed content.
pub(super) const PACKED: u8 = 2;

/// Encrypts.
pub(super) fn seal(text: &[u8], key: &[u8; 64]) -> Option<Bytes> {
    let nonce: [u8; 16] = rand::random();
    let cipher = Aes256CtrPoly1305Aes::new(key.into());
    let mut sealed = nonce.to_vec();
    sealed.extend(cipher.encrypt(&nonce.into(), text).ok()?);
    Some(sealed.into())
}

/// Decrypts, and decompresses up to `most` bytes. `None` if the key is wrong or the data is damaged.
pub(super) fn open(bytes: &[u8], key: &[u8; 64], most: u32) -> Option<Vec<u8>> {
    let (nonce, sealed) = bytes.split_first_chunk::<16>()?;
    let cipher = Aes256CtrPoly1305Aes::new(key.into());
    let text = cipher.decrypt(nonce.into(), sealed).ok()?;
    match text.split_first()? {
        (&PACKED, packed) => zstd::bulk::decompress(packed, usize::try_from(most).ok()?).ok(),
        _ => Some(text),
    }
}

/// The name of a file with this content.
pub(super) fn name_of(content: &Bytes) -> Id {
    Id::new(Sha256::digest(content).into())
}
