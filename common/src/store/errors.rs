//! Turns errors of stores and of the file system into ours, by what somebody does about them.

use shadowdiff_core::error::{Error, Kind};
use std::io;

/// An error of an object store about the object or place `name`.
pub fn store_error(error: object_store::Error, name: &str) -> Error {
    use object_store::Error as E;
    match error {
        E::NotFound { .. } => Error::input(format!("{name} does not exist")),
        E::Precondition { .. } | E::NotModified { .. } => changed(name),
        E::PermissionDenied { source, .. } | E::Unauthenticated { source, .. } => denied(name, &source.to_string()),
        E::AlreadyExists { .. } => Error::input(format!("{name} exists already")),
        E::InvalidPath { source } => Error::input(format!("the name cannot be used with this store: {source}")).file(name),
        E::NotSupported { source } => Error::input(format!("the store does not support this: {source}")).file(name),
        E::NotImplemented { operation, implementer } => Error::input(format!("{implementer} cannot {operation}")).file(name),
        E::UnknownConfigurationKey { store, key } => Error::spec(format!("{store} knows no setting `{key}`")).file(name),
        E::JoinError { source } => Error::internal(format!("a read was dropped: {source}")).file(name),
        E::Generic { source, .. } => generic(source.as_ref(), name),
        other => Error::unavailable(other.to_string()).file(name),
    }
}

/// An error of the file system about the file `name`.
pub fn io_error(error: &io::Error, name: &str) -> Error {
    use io::ErrorKind as K;
    let kind = match error.kind() {
        K::NotFound => return Error::input(format!("{name} does not exist")),
        K::PermissionDenied => return Error::input("access denied").file(name).advice("check the permissions"),
        K::NotADirectory | K::IsADirectory | K::InvalidData | K::InvalidInput | K::InvalidFilename | K::UnexpectedEof => Kind::Input,
        K::StorageFull | K::QuotaExceeded | K::OutOfMemory => Kind::Exhausted,
        _ => Kind::Unavailable,
    };
    Error::new(kind, error.to_string()).file(name)
}

/// The error of promise "inputs are pinned when planned".
pub fn changed(name: &str) -> Error {
    Error::input(format!("{name} changed since the job was planned")).advice("run the comparison again when the dataset is complete")
}

/// What has no kind of its own: a file system error inside, a wrong setting, or a store that does not answer.
fn generic(source: &(dyn std::error::Error + 'static), name: &str) -> Error {
    let mut text = source.to_string();
    let mut next = Some(source);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<io::Error>()
            && matches!(
                io.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied | io::ErrorKind::StorageFull
            )
        {
            return io_error(io, name);
        }
        let inner = error.to_string();
        if !text.contains(&inner) {
            text = format!("{text}: {inner}");
        }
        next = error.source();
    }
    // Requests for a listing come without a kind of their own.
    match status(&text) {
        Some(404) => Error::input(format!("{name} does not exist: no such bucket or container ({})", answer(&text))),
        Some(401 | 403) if !is_token_request(&text) => denied(name, &text),
        _ if is_token_request(&text) => Error::input("no credentials are set, and this machine has none of its own")
            .file(name)
            .advice(format!(
                "see the store's environment variables, such as \
             AWS_ACCESS_KEY_ID, and docs/operating.md for AWS profiles ({})",
                answer(&text)
            )),
        Some(301 | 400) => Error::input("the store refuses the request")
            .file(name)
            .advice(format!("check region and endpoint ({})", answer(&text))),
        _ => Error::unavailable(answer(&text)).file(name),
    }
}

fn denied(name: &str, text: &str) -> Error {
    Error::input("access denied")
        .file(name)
        .advice(format!("check the credentials and their permissions ({})", answer(text)))
}

/// Asked where no credentials are set: the metadata services of the clouds.
fn is_token_request(text: &str) -> bool {
    ["/latest/api/token", "/metadata/identity/", "/computeMetadata/"]
        .iter()
        .any(|path| text.contains(path))
}

const STATUS: &str = "non-2xx status code: ";

/// The HTTP status in the text of an error; the client keeps it to itself otherwise.
fn status(text: &str) -> Option<u16> {
    let (_, after) = text.split_once(STATUS)?;
    after.get(..3)?.parse().ok()
}

/// On one line: an answer in XML becomes its code and message.
fn answer(text: &str) -> String {
    let between = |tag: &str| {
        let (_, after) = text.split_once(&format!("<{tag}>"))?;
        after.split_once("</").map(|(inside, _)| inside.lines().next().unwrap_or(inside))
    };
    let short = match (text.split_once(STATUS), between("Code"), between("Message")) {
        (Some((_, after)), Some(code), message) => {
            let status = after.split(':').next().unwrap_or(after);
            format!("{status}, {code}: {}", message.unwrap_or_default())
        }
        _ => text.to_string(),
    };
    short.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// An error of opening a store: a setting is wrong, whatever it is made of.
pub(super) fn settings_error(error: &object_store::Error, root: &str) -> Error {
    let text = match error {
        object_store::Error::Generic { source, .. } => source.to_string(),
        other => other.to_string(),
    };
    Error::spec(format!("{root} cannot be opened: {text}")).advice("check the name and the store's environment variables")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_follow_what_to_do() {
        let missing = object_store::Error::NotFound {
            path: "k".into(),
            source: "no".into(),
        };
        assert_eq!(store_error(missing, "s3://b/k"), Error::input("s3://b/k does not exist"));
        let moved = object_store::Error::Precondition {
            path: "k".into(),
            source: "412".into(),
        };
        assert!(
            store_error(moved, "s3://b/k")
                .to_string()
                .contains("s3://b/k changed since the job was planned")
        );
        let down = object_store::Error::Generic {
            store: "S3",
            source: "503 slow down".into(),
        };
        assert_eq!(store_error(down, "s3://b/k").kind, Kind::Unavailable);
        let listing = object_store::Error::Generic {
            store: "S3",
            source: "Error performing GET http://h/b in 2ms - Server returned non-2xx status code: 403 Forbidden: <Error>\n<Code>AccessDenied</Code><Message>No.</Message></Error>".into(),
        };
        let listing = store_error(listing, "s3://b/k/");
        assert_eq!(listing.kind, Kind::Input);
        assert!(listing.to_string().ends_with("(403 Forbidden, AccessDenied: No.)"), "{listing}");
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let denied = object_store::Error::Generic {
            store: "local",
            source: Box::new(denied),
        };
        assert_eq!(store_error(denied, "x").kind, Kind::Input);
    }
}
