//! The ready tasks of a stage: the heaviest that is small enough is found in O(log n), however many there are.
//!
//! A tournament over places, heaviest task first: each node of a binary tree holds the smallest need below it.

/// No task; also the largest need.
const ABSENT: u64 = u64::MAX;

#[derive(Debug, Default)]
pub(super) struct Ready {
    /// The root is 1, the children of n are 2n and 2n + 1, the leaves are the second half.
    needs: Vec<u64>,
    count: usize,
}

impl Ready {
    pub(super) fn new(places: usize) -> Self {
        Ready {
            needs: vec![ABSENT; 2 * places.next_power_of_two()],
            count: 0,
        }
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The task at this place is ready, and needs so much.
    pub(super) fn insert(&mut self, place: usize, need: u64) {
        self.set(place, need.min(ABSENT - 1));
    }

    pub(super) fn remove(&mut self, place: usize) {
        self.set(place, ABSENT);
    }

    pub(super) fn clear(&mut self) {
        self.needs.fill(ABSENT);
        self.count = 0;
    }

    /// The first place from `start` on with a ready task that needs no more than this.
    pub(super) fn first_from(&self, start: usize, limit: u64) -> Option<usize> {
        let limit = limit.min(ABSENT - 1);
        let leaves = self.needs.len() / 2;
        if start >= leaves {
            return None;
        }
        let mut node = leaves + start;
        while self.needs[node] > limit {
            // The next subtree to the right; the root has none.
            while node % 2 == 1 {
                if node == 1 {
                    return None;
                }
                node /= 2;
            }
            node += 1;
        }
        while node < leaves {
            node = if self.needs[2 * node] <= limit { 2 * node } else { 2 * node + 1 };
        }
        Some(node - leaves)
    }

    fn set(&mut self, place: usize, need: u64) {
        let mut node = self.needs.len() / 2 + place;
        match (self.needs[node] == ABSENT, need == ABSENT) {
            (true, false) => self.count += 1,
            (false, true) => self.count -= 1,
            _ => {}
        }
        self.needs[node] = need;
        while node > 1 {
            node /= 2;
            self.needs[node] = self.needs[2 * node].min(self.needs[2 * node + 1]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_place_within_the_limit_is_found() {
        for places in [1, 2, 3, 8, 13] {
            let mut ready = Ready::new(places);
            assert_eq!(ready.first_from(0, u64::MAX), None);
            let need = |place: usize| (place as u64 * 7 + 3) % 11;
            for place in 0..places {
                ready.insert(place, need(place));
            }
            assert_eq!(ready.count(), places);
            for place in 0..places {
                for limit in 0..12 {
                    assert_eq!(ready.first_from(0, limit), (place..places).find(|p| need(*p) <= limit));
                    for start in 0..=places {
                        let expected = (place.max(start)..places).find(|p| need(*p) <= limit);
                        assert_eq!(ready.first_from(start, limit), expected, "{places} from {start}");
                    }
                }
                ready.remove(place);
            }
            assert_eq!((ready.count(), ready.first_from(0, u64::MAX)), (0, None));
        }
    }

    #[test]
    fn a_need_beyond_every_size_is_still_a_need() {
        let mut ready = Ready::new(1);
        ready.insert(0, u64::MAX);
        assert_eq!(
            (ready.count(), ready.first_from(0, u64::MAX), ready.first_from(0, 5)),
            (1, Some(0), None)
        );
    }
}
