//! Fetches a result: whole or not at all, and checked by length and digest. A transfer that breaks goes on where it was.

use super::remote::Remote;
use shadowdiff_coordinator::{Published, Staging, Target};
use shadowdiff_core::error::{Error, Kind, Result};
use shadowdiff_core::report::{FileMark, ResultFile, Summary, own_summary};
use shadowdiff_proto::v1::Job;
use std::io::Write;
use std::time::Duration;
use tokio::time::sleep;

/// Breaks of one file's transfer.
const MAX_BREAKS: u32 = 5;
/// Between two tries: a coordinator that starts again needs some.
const PAUSE: Duration = Duration::from_secs(1);

/// Fetches all files to the target; gives the summary.
pub(super) async fn fetch(remote: &mut Remote, job: &Job, target: &Target, overwrite: bool) -> Result<(Summary, Published)> {
    let staging = Staging::new(target)?;
    let summary = files(remote, job, &ResultFile::ALL, &staging).await?;
    Ok((summary, staging.publish(target, overwrite).await?))
}

/// Fetches the summary and those of the other files that are `wanted` to a temporary place, which goes with what is given.
pub(super) async fn copy(remote: &mut Remote, job: &Job, wanted: &[ResultFile]) -> Result<(Summary, Published)> {
    let staging = Staging::aside(&std::env::temp_dir())?;
    let wanted = [wanted, &[ResultFile::Summary]].concat();
    Ok((files(remote, job, &wanted, &staging).await?, staging.keep()))
}

/// Fetches these files, as far as the result has them; gives the summary.
async fn files(remote: &mut Remote, job: &Job, wanted: &[ResultFile], staging: &Staging) -> Result<Summary> {
    let is_there = |wanted: &ResultFile| job.files.iter().any(|file| file.name == wanted.name());
    for file in wanted.iter().filter(|file| !file.is_optional() || is_there(file)) {
        whole(remote, job, *file, staging).await?;
    }
    let summary = std::fs::read(staging.path(ResultFile::Summary))
        .map_err(|e| Error::exhausted(e.to_string()).file(ResultFile::Summary).field("output"))?;
    own_summary(&summary).map_err(|e| Error::internal(format!("job {}: its summary {e}", job.id)))
}

/// One file to its end. What came damaged is forgotten and fetched again.
async fn whole(remote: &mut Remote, job: &Job, name: ResultFile, staging: &Staging) -> Result<()> {
    let told = job.files.iter().find(|file| file.name == name.name());
    let told = told.ok_or_else(|| Error::internal(format!("job {} has no {name}", job.id)))?;
    if told.sha256.is_empty() {
        return Err(
            Error::internal(format!("job {}: its coordinator does not name the digest of {name}", job.id))
                .advice("run the same version on both"),
        );
    }
    let mark = FileMark {
        size_bytes: told.size_bytes,
        sha256: told.sha256.clone(),
    };
    for number in 0..=MAX_BREAKS {
        if number > 0 {
            sleep(PAUSE).await;
        }
        let mut file = staging.create(name)?;
        all_bytes(remote, job, name, mark.size_bytes, &mut file).await?;
        if file.finish()? == mark {
            return Ok(());
        }
    }
    Err(Error::unavailable(format!(
        "job {}: {name} comes damaged, {} times in a row: its digest is not the one that the job names",
        job.id,
        MAX_BREAKS + 1
    )))
}

/// As many bytes as the file has. A transfer that breaks goes on where it was.
async fn all_bytes(remote: &mut Remote, job: &Job, name: ResultFile, size: u64, to: &mut impl Write) -> Result<()> {
    let (mut have, mut breaks) = (0u64, 0);
    while have < size {
        match piece(remote, job, name, &mut have, to).await {
            Ok(()) if have < size => breaks += 1,
            Ok(()) => {}
            Err(error) if error.kind == Kind::Unavailable && breaks < MAX_BREAKS => breaks += 1,
            Err(error) => return Err(error),
        }
        if have < size {
            if breaks > MAX_BREAKS {
                return Err(Error::unavailable(format!(
                    "job {}: {name} ends after {have} of {size} bytes",
                    job.id
                )));
            }
            sleep(PAUSE).await;
        }
    }
    Ok(())
}

/// One stream of pieces, as far as it goes.
async fn piece(remote: &mut Remote, job: &Job, name: ResultFile, have: &mut u64, to: &mut impl Write) -> Result<()> {
    let mut pieces = remote.fetch(&job.id, name.name(), *have).await?;
    while let Some(piece) = pieces.message().await.map_err(|status| remote.error(&status))? {
        if piece.offset != *have {
            return Err(Error::internal(format!("job {}: {name} came out of order", job.id)));
        }
        to.write_all(&piece.content)
            .map_err(|e| Error::exhausted(e.to_string()).file(name).field("output"))?;
        *have += piece.content.len() as u64;
    }
    Ok(())
}
