//! When somebody last pressed a key or moved the pointer, read from what a viewer says (RFC 6143, 7.5). A viewer asks for the screen by itself, so
//! that something is said is no sign of anybody. Pure, and nothing is changed: where the messages can't be told apart any more, everything
//! counts.

/// Bytes of a viewer's greeting: its version, the kind of log-in that it chooses, and whether it shares the screen.
const GREETING_BYTES: usize = 12 + 1 + 1;
/// Bytes that say how long a message is, at most.
const HEAD_BYTES_MAX: usize = 9;

/// What was read of a viewer so far.
#[derive(Debug)]
pub(super) struct Hands {
    /// Bytes still to be passed over.
    skip: usize,
    /// The beginning of a message whose length is not known yet.
    head: Vec<u8>,
    lost: bool,
}

impl Default for Hands {
    fn default() -> Self {
        Self { skip: GREETING_BYTES, head: Vec::new(), lost: false }
    }
}

/// What a message is, by its beginning.
enum Message {
    /// More must be read to know.
    Unknown,
    /// So many bytes, and whether somebody did something.
    Whole(usize, bool),
    /// None that is known.
    Strange,
}

impl Hands {
    /// Reads on; whether somebody did something.
    pub(super) fn hear(&mut self, mut said: &[u8]) -> bool {
        let mut acted = false;
        while !said.is_empty() && !self.lost {
            let passed = self.skip.min(said.len());
            self.skip -= passed;
            said = &said[passed..];
            let Some((byte, rest)) = said.split_first() else { break };
            self.head.push(*byte);
            said = rest;
            match message(&self.head) {
                Message::Unknown => {}
                Message::Whole(length, by_hand) => {
                    self.skip = length - self.head.len();
                    self.head.clear();
                    acted |= by_hand;
                }
                Message::Strange => self.lost = true,
            }
        }
        acted || self.lost
    }
}

fn message(head: &[u8]) -> Message {
    let short = |at: usize| head.get(at..at + 2).map(|bytes| usize::from(u16::from_be_bytes([bytes[0], bytes[1]])));
    let known = |length: Option<usize>, by_hand: bool| match length {
        Some(length) => Message::Whole(length, by_hand),
        None if head.len() < HEAD_BYTES_MAX => Message::Unknown,
        None => Message::Strange,
    };
    match head.first() {
        // Pixels, which part is wanted, and that it goes on by itself.
        Some(0) => Message::Whole(20, false),
        Some(2) => known(short(2).map(|count| 4 + 4 * count), false),
        Some(3 | 150) => Message::Whole(10, false),
        // A key, the pointer, and text that was copied.
        Some(4) => Message::Whole(8, true),
        Some(5) => Message::Whole(6, true),
        Some(6) => {
            // A negative length says that it is of the extended form.
            let length =
                |bytes: &[u8]| i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]).unsigned_abs() as usize;
            known(head.get(4..8).map(|bytes| 8 + length(bytes)), true)
        }
        Some(248) => known(head.get(8).map(|length| 9 + usize::from(*length)), false),
        Some(250) => Message::Whole(4, false),
        Some(251) => known(head.get(6).map(|count| 8 + 16 * usize::from(*count)), false),
        // QEMU's own: a key with its place on the keyboard, or sound.
        Some(255) => match (head.get(1), short(2)) {
            (None, _) => Message::Unknown,
            (Some(0), _) => Message::Whole(12, true),
            (Some(1), None) => Message::Unknown,
            (Some(1), Some(2)) => Message::Whole(10, false),
            (Some(1), Some(_)) => Message::Whole(4, false),
            (Some(_), _) => Message::Strange,
        },
        Some(_) => Message::Strange,
        None => Message::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What noVNC says to QEMU when it comes: a greeting, its pixels, what it can read, and that it wants all of the screen.
    fn came() -> Vec<u8> {
        let mut said = b"RFB 003.008\n\x01\x01".to_vec();
        said.extend([0; 20]);
        said.extend([2, 0, 0, 3, 0, 0, 0, 7, 0xff, 0xff, 0xff, 0x21, 0xff, 0xff, 0xfe, 0xfe]);
        said.extend([3, 0, 0, 0, 0, 0, 2, 0xd0, 1, 0x90]);
        said
    }

    #[test]
    fn who_only_looks_does_nothing_and_who_types_does() {
        let fence = [&[248, 0, 0, 0, 0, 0, 0, 0, 3][..], b"abc"].concat();
        let copied = [&[6, 0, 0, 0, 0, 0, 0, 2][..], b"hi"].concat();
        let extended = [&[6, 0, 0, 0, 0xff, 0xff, 0xff, 0xfe][..], b"hi"].concat();
        let sizes = [&[251, 0, 0, 1, 0, 1, 1, 0][..], &[0; 16]].concat();
        let wanted = [3, 1, 0, 0, 0, 0, 2, 0xd0, 1, 0x90];
        let cases: [(&[u8], bool); 9] = [
            (&wanted, false),
            (&fence, false),
            (&sizes, false),
            (&[255, 1, 0, 0], false),
            (&[4, 1, 0, 0, 0, 0, 0, 0x72], true),
            (&[5, 0, 0, 9, 0, 9], true),
            (&copied, true),
            (&extended, true),
            (&[255, 0, 0, 1, 0, 0, 0, 0x72, 0, 0, 0, 0x13], true),
        ];
        for (message, by_hand) in cases {
            let mut hands = Hands::default();
            assert!(!hands.hear(&came()), "who comes has done nothing yet");
            assert_eq!(hands.hear(message), by_hand, "{message:?}");
            assert!(!hands.hear(&wanted), "its end was found: {message:?}");
            // However it is cut on its way.
            let mut hands = Hands::default();
            let said = [&came()[..], message, &wanted].concat();
            assert_eq!(said.iter().filter(|byte| hands.hear(&[**byte])).count(), usize::from(by_hand), "{message:?}");
        }
    }

    #[test]
    fn where_nothing_can_be_told_apart_everything_counts() {
        let mut hands = Hands::default();
        assert!(hands.hear(&[&came()[..], &[99]].concat()) && hands.hear(&[3]));
    }
}
