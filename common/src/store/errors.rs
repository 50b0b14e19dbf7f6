//! Turns errors of stores and of the file system into ours, by what somebody does about them.

use shadowdiff_core::error::{Error, Kind};
use std::io;

/// An error of an object store about the object or place `name`.
pub fn store_error(error: object_store::Error, name: &str) -> Error {
    use object_store::Error as E;
    match error {
        E::NotFound { .. } => Error::input(format!("{name} does not exist")),
        E::Precondition { .. } | E::NotModified { .. } => changed(name),
        E::PermissionDenied { source, .. } => Error::input(format!("{name}: access denied; check the permissions ({source})")),
        E::Unauthenticated { source, .. } => Error::input(format!("{name}: access denied; check the credentials ({source})")),
        E::AlreadyExists { .. } => Error::input(format!("{name} exists already")),
        E::InvalidPath { source } => Error::input(format!("{name}: the name cannot be used with this store: {source}")),
        E::NotSupported { source } => Error::input(format!("{name}: the store does not support this: {source}")),
        E::NotImplemented { operation, implementer } => Error::input(format!("{name}: {implementer} cannot {operation}")),
        E::UnknownConfigurationKey { store, key } => Error::spec(format!("{name}: {store} knows no setting '{key}'")),
        E::JoinError { source } => Error::internal(format!("{name}: a read was dropped: {source}")),
        E::Generic { source, .. } => generic(source.as_ref(), name),
        other => Error::unavailable(format!("{name}: {other}")),
    }
}

/// An error of the file system about the file `name`.
pub fn io_error(error: &io::Error, name: &str) -> Error {
    use io::ErrorKind as K;
    let kind = match error.kind() {
        K::NotFound => return Error::input(format!("{name} does not exist")),
        K::PermissionDenied => return Error::input(format!("{name}: access denied; check the permissions")),
        K::NotADirectory | K::IsADirectory | K::InvalidData | K::InvalidInput | K::InvalidFilename | K::UnexpectedEof => Kind::Input,
        K::StorageFull | K::QuotaExceeded | K::OutOfMemory => Kind::Exhausted,
        _ => Kind::Unavailable,
    };
    Error::new(kind, format!("{name}: {error}"))
}

/// The error of promise "inputs are pinned when planned".
pub(crate) fn changed(name: &str) -> Error {
    Error::input(format!(
        "{name} changed since the job was planned; run the comparison again when the dataset is complete"
    ))
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
    Error::unavailable(format!("{name}: {text}"))
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
                .message
                .contains("s3://b/k changed since the job was planned")
        );
        let down = object_store::Error::Generic {
            store: "S3",
            source: "503 slow down".into(),
        };
        assert_eq!(store_error(down, "s3://b/k").kind, Kind::Unavailable);
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let denied = object_store::Error::Generic {
            store: "local",
            source: Box::new(denied),
        };
        assert_eq!(store_error(denied, "x").kind, Kind::Input);
    }
}
