//! Whatever a client sends, however it is cut: the same frames come out, and little is held.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::frame::{Decoder, FRAME_LEN_MAX, Frame, FrameError, HEAD_LEN};

fn frames<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Result<Frame, FrameError>> {
    let (mut decoder, mut seen) = (Decoder::default(), Vec::new());
    for mut piece in pieces {
        loop {
            match decoder.next(&mut piece) {
                Ok(None) => break,
                Ok(Some(frame)) => seen.push(Ok(frame)),
                Err(error @ FrameError::Unknown { .. }) => seen.push(Err(error)),
                Err(error) => {
                    seen.push(Err(error));
                    return seen;
                }
            }
        }
        assert!(decoder.held() <= HEAD_LEN + FRAME_LEN_MAX);
    }
    seen
}

fuzz_target!(|bytes: &[u8]| {
    assert_eq!(frames([bytes].into_iter()), frames(bytes.chunks(1)));
});
