//! Which jobs of a list an answer holds, and where the next answer begins.
//!
//! A token says after which job the next page begins, by time and id, so that it stays good when jobs come, go, or change their state.

use super::JobView;
use super::wire::{Detail, labels, state};
use prost::Message;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_proto::v1::{self, JobState, ListRequest, ListResponse};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Of a page that does not say how many, and of any page: a thousand jobs without warnings fit a message.
const DEFAULT_JOBS: usize = 50;
const MAX_JOBS: usize = 1000;
/// Jobs of a page take about so much at most: a quarter of a message.
const MAX_BYTES: usize = 1 << 20;

/// Where a job stands in lists: the newest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place(Reverse<(i64, String)>);

impl Place {
    fn of(created_ms: i64, id: &str) -> Place {
        Place(Reverse((created_ms, id.to_owned())))
    }

    fn parse(token: &str) -> Option<Place> {
        let (created_ms, id) = token.split_once('/')?;
        Some(Place::of(created_ms.parse().ok()?, id))
    }

    fn token(created_ms: i64, id: &str) -> String {
        format!("{created_ms}/{id}")
    }
}

/// Sorts views as lists show them.
pub(crate) fn sort(views: &mut [Arc<JobView>]) {
    let key = |view: &JobView| (view.submitted.created_ms, view.id.clone());
    views.sort_by_cached_key(|view| Reverse(key(view)));
}

/// What a client wants of a list.
#[derive(Debug)]
pub(crate) struct PageRequest {
    jobs: usize,
    after: Option<Place>,
    states: Vec<i32>,
    /// A job has all of these.
    labels: BTreeMap<String, String>,
    pub(crate) detail: Detail,
}

impl PageRequest {
    pub(crate) fn of(request: &ListRequest) -> Result<PageRequest> {
        if let Some(unknown) = request.states.iter().find(|state| JobState::try_from(**state).is_err()) {
            return Err(Error::spec(format!("{unknown} is not a state")).field("states"));
        }
        let after = match request.page_token.as_str() {
            "" => None,
            token => Some(Place::parse(token).ok_or_else(|| {
                Error::spec("is not of a list")
                    .field("page_token")
                    .advice("begin again without one")
            })?),
        };
        let detail = match v1::JobView::try_from(request.view) {
            Ok(v1::JobView::Unspecified | v1::JobView::Basic) => Detail::Basic,
            Ok(v1::JobView::Full) => Detail::Full,
            Err(_) => return Err(Error::spec(format!("{} is not a view", request.view)).field("view")),
        };
        Ok(PageRequest {
            jobs: match request.page_size as usize {
                0 => DEFAULT_JOBS,
                size => size.min(MAX_JOBS),
            },
            after,
            states: request.states.clone(),
            labels: labels(request.labels.clone())?,
            detail,
        })
    }

    /// Whether this is the first page of a list.
    pub(crate) fn is_first(&self) -> bool {
        self.after.is_none()
    }

    /// The jobs of the page among those of a sorted list, and whether more follow.
    pub(crate) fn choose(&self, sorted: &[Arc<JobView>]) -> (Vec<Arc<JobView>>, bool) {
        let is_before = |view: &Arc<JobView>| {
            let place = || Place::of(view.submitted.created_ms, &view.id);
            self.after.as_ref().is_some_and(|after| place() <= *after)
        };
        let from = sorted.partition_point(is_before);
        let has_labels = |view: &JobView| {
            self.labels
                .iter()
                .all(|(name, value)| view.submitted.labels.get(name) == Some(value))
        };
        let has_state = |view: &JobView| self.states.is_empty() || self.states.contains(&state(view.phase).into());
        let mut fitting = sorted[from..].iter().filter(|view| has_state(view) && has_labels(view));
        let chosen: Vec<_> = fitting.by_ref().take(self.jobs).cloned().collect();
        (chosen, fitting.next().is_some())
    }
}

/// A page that is being filled.
#[derive(Debug, Default)]
pub(crate) struct Page {
    jobs: Vec<v1::Job>,
    bytes: usize,
    last: String,
}

impl Page {
    /// Adds a job that has been submitted at `created_ms`. False where it does not fit any more: it begins the next page.
    pub(crate) fn add(&mut self, created_ms: i64, job: v1::Job) -> bool {
        self.bytes += job.encoded_len();
        if self.bytes > MAX_BYTES && !self.jobs.is_empty() {
            return false;
        }
        self.last = Place::token(created_ms, &job.id);
        self.jobs.push(job);
        true
    }

    pub(crate) fn answer(self, more_follow: bool) -> ListResponse {
        ListResponse {
            next_page_token: if more_follow { self.last } else { String::new() },
            jobs: self.jobs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::JobPhase;
    use super::super::wire::job;
    use super::*;
    use shadowdiff_common::state::{Incarnation, Submission};

    fn view(id: &str, created_ms: i64) -> Arc<JobView> {
        let submission = Submission {
            created_ms,
            ..Submission::new(Incarnation::parse(&"0".repeat(32)).expect("32 digits"))
        };
        Arc::new(JobView::new(id, &submission))
    }

    fn list(mut views: Vec<Arc<JobView>>, request: &ListRequest) -> ListResponse {
        sort(&mut views);
        let wanted = PageRequest::of(request).expect("a request");
        let (chosen, mut more_follow) = wanted.choose(&views);
        let mut page = Page::default();
        for view in chosen {
            if !page.add(view.submitted.created_ms, job(&view, 0, wanted.detail)) {
                more_follow = true;
                break;
            }
        }
        page.answer(more_follow)
    }

    fn ids(answer: &ListResponse) -> Vec<&str> {
        answer.jobs.iter().map(|job| job.id.as_str()).collect()
    }

    fn request(page_size: u32, page_token: &str) -> ListRequest {
        ListRequest {
            page_size,
            page_token: page_token.into(),
            ..ListRequest::default()
        }
    }

    #[test]
    fn a_page_begins_after_a_job_that_has_gone_or_changed() {
        let all = [view("a", 1), view("b", 2), view("c", 2), view("d/", 3), view("e", 4)];
        let first = list(all.to_vec(), &request(2, ""));
        assert_eq!(ids(&first), ["e", "d/"]);
        let token = first.next_page_token;
        let rest = |views: Vec<_>, states: &[JobState]| {
            let mut request = request(10, &token);
            request.states = states.iter().map(|state| (*state).into()).collect();
            let answer = list(views, &request);
            assert_eq!(answer.next_page_token, "");
            ids(&answer).into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(rest(all.to_vec(), &[]), ["c", "b", "a"]);
        // The last job of the page before has gone; a new one has come.
        let (gone, mut come) = ([&all[..3], &all[4..]].concat(), all.to_vec());
        assert_eq!(rest(gone, &[]), ["c", "b", "a"]);
        come.push(view("f", 5));
        assert_eq!(rest(come, &[]), ["c", "b", "a"]);
        // It has left the filter.
        let mut ended = all.to_vec();
        Arc::make_mut(&mut ended[3]).phase = JobPhase::Failed;
        assert_eq!(rest(ended, &[JobState::Planning]), ["c", "b", "a"]);
        let error = PageRequest::of(&request(1, "nope")).expect_err("not a token");
        assert!(error.to_string().starts_with("page_token: "), "{error}");
    }

    #[test]
    fn a_page_ends_before_it_is_too_large_for_a_message() {
        let mut all = Vec::new();
        for number in 0..30 {
            let mut large = view(&format!("{number:02}"), number);
            Arc::make_mut(&mut large).warnings = vec!["w".repeat(100 << 10)];
            all.push(large);
        }
        let (mut token, mut seen, mut pages) = (String::new(), Vec::new(), 0);
        loop {
            let full = ListRequest {
                view: v1::JobView::Full.into(),
                ..request(1000, &token)
            };
            let answer = list(all.clone(), &full);
            assert!(answer.encoded_len() <= MAX_BYTES + 1000);
            seen.extend(ids(&answer).into_iter().map(str::to_owned));
            pages += 1;
            token = answer.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!((seen.len(), pages), (30, 3));
        assert!(seen.is_sorted_by(|a, b| a > b), "{seen:?}");
        let basic = list(all, &request(1000, ""));
        assert_eq!((basic.jobs.len(), basic.next_page_token.as_str()), (30, ""));
        assert!(basic.jobs.iter().all(|job| job.warnings.is_empty()));
    }
}
