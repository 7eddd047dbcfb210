//! Numbers of nobody: what the node opens and tries for itself lies under one of these. No solution is given one, for numbers begin at the other
//! end.

use husorden_base::Number;

/// What for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nobody {
    /// The bench on which backups are proven.
    Proof,
    /// The bench on which a backup is opened for a part of it: who waits for that does not wait for proofs.
    Part,
    /// The trial of the machine's own virtualisation.
    Trial,
}

impl Nobody {
    const ALL: [Self; 3] = [Self::Proof, Self::Part, Self::Trial];

    /// Its number.
    pub(crate) fn number(self) -> Number {
        Number::new(Number::MAX - self as u32).expect("the largest numbers are numbers")
    }

    /// Whose number this is, if it is nobody's.
    pub(crate) fn of(number: Number) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.number() == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_number_of_its_own() {
        for one in Nobody::ALL {
            assert_eq!(Nobody::of(one.number()), Some(one));
        }
        assert_eq!(Nobody::of(Number::new(1).expect("1 is a number")), None);
    }
}
