//! In which order the members of a suite come: as they are written, each after those that it follows.

use super::document::Position;
use super::mistakes::Mistakes;
use crate::error::Error;
use crate::nearest::did_you_mean;

/// A name that stands somewhere.
#[derive(Debug, Clone)]
pub(super) struct Named {
    pub(super) text: String,
    pub(super) at: Position,
    pub(super) path: String,
}

/// The numbers of the members in their order. `others`: names that may be followed though they are not compared. Names that are not known,
/// and circles, are noted.
pub(super) fn ordered(members: &[(&str, &[Named])], others: &[&str], mistakes: &mut Mistakes) -> Vec<usize> {
    let number = |name: &Named| members.iter().position(|(other, _)| *other == name.text);
    let mut follows: Vec<Vec<usize>> = Vec::new();
    for (_, after) in members {
        for name in after
            .iter()
            .filter(|name| number(name).is_none() && !others.contains(&name.text.as_str()))
        {
            let known = members.iter().map(|(name, _)| *name);
            let advice = did_you_mean(&name.text, known).unwrap_or_else(|| "name another task, or same inputs".to_owned());
            mistakes.add(
                name.at,
                &name.path,
                Error::spec(format!("`{}` is not a task of this suite", name.text)).advice(advice),
            );
        }
        follows.push(after.iter().filter_map(number).collect());
    }
    let mut order: Vec<usize> = Vec::new();
    let mut is_placed = vec![false; members.len()];
    // The first as written that waits for nothing; found anew after each, so that the order is that of the file wherever it can be.
    while let Some(next) = (0..members.len()).find(|at| !is_placed[*at] && follows[*at].iter().all(|before| is_placed[*before])) {
        is_placed[next] = true;
        order.push(next);
    }
    if let Some(start) = is_placed.iter().position(|placed| !placed) {
        let circle = circle(start, &follows, &is_placed);
        let names: Vec<&str> = circle.iter().map(|at| members[*at].0).collect();
        let at = circle.first().and_then(|at| members[*at].1.first());
        let (position, path) = at.map_or((Position::START, ""), |name| (name.at, &name.path));
        let what = Error::spec(format!("each of these follows the next, in a circle: {}", names.join(", ")));
        mistakes.add(position, path, what.advice("take one `after` out"));
    }
    order
}

/// The members of a circle, the first again at its end. From `start` on every member that is left waits for another that is left.
fn circle(start: usize, follows: &[Vec<usize>], is_placed: &[bool]) -> Vec<usize> {
    let mut way = vec![start];
    loop {
        let last = way[way.len() - 1];
        let Some(next) = follows[last].iter().copied().find(|before| !is_placed[*before]) else {
            return way;
        };
        if let Some(first) = way.iter().position(|at| *at == next) {
            way.drain(..first);
            way.push(next);
            return way;
        }
        way.push(next);
    }
}
