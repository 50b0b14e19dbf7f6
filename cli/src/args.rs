//! The command line: each command and flag defined once; help, man page and completions follow from it.

mod serving;
mod values;

use crate::accept::AcceptArgs;
use crate::profile::ProfileArgs;
use crate::render::ColorArgs;
use crate::shown::{AnswerArgs, ShownArgs};
use clap::{Args, Parser, Subcommand, ValueEnum};
pub(crate) use serving::{CoordinatorArgs, WorkerArgs};
use shadowdiff_core::plan::Form;
use shadowdiff_core::spec::CsvOverride;
use std::path::PathBuf;
use values::{column_and_limit, csv_field, name_and_value, size, yes_or_no};

/// Compares the live and the shadow output of a data pipeline, account by account, and says which differences a release was supposed to
/// make and which it was not.
#[derive(Debug, Parser)]
#[command(name = "shadowdiff", version, about, long_about = None)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Compare two datasets: writes diff.csv, accounts.csv and summary.json; exit 0 pass, 1 fail, 2 trouble
    #[command(override_usage = "shadowdiff compare [OPTIONS] SPEC\n       shadowdiff compare [OPTIONS] LIVE SHADOW --key COLUMNS")]
    Compare(CompareArgs),
    /// Compare the outputs of many tasks by one file: a result for each, one verdict; exit 0 all pass, 1 one fails, 2 one could not be compared
    Suite(SuiteArgs),
    /// Bind a spec to its data and show the plan: files, rows, types, comparators, warnings; compares nothing
    #[command(override_usage = "shadowdiff check [OPTIONS] SPEC\n       shadowdiff check [OPTIONS] LIVE SHADOW --key COLUMNS")]
    Check(CheckArgs),
    /// Plant known changes into a copy of some rows and tell which of them the spec would catch; exit 1 if it is blind for a column
    #[command(override_usage = "shadowdiff power [OPTIONS] SPEC\n       shadowdiff power [OPTIONS] LIVE SHADOW --key COLUMNS")]
    Power(PowerArgs),
    /// Look at two datasets and write a first spec with comments, to read and correct
    Init(InitArgs),
    /// Show a finished result again, of a comparison or a suite
    Report(ReportArgs),
    /// Judge a finished comparison by other rules and thresholds, without reading the data again
    Judge(JudgeArgs),
    /// Draft rules and comparators for the exceptions of a finished comparison, with what each would do; applies nothing
    Suggest(SuggestArgs),
    /// Accept a pattern of a finished result for a time, in a file that the spec names
    Accept(AcceptArgs),
    /// Write the smallest masked pair of files and a spec that still show a pattern of a finished result: for a ticket
    Shrink(ShrinkArgs),
    /// Tell what has changed from one result to the next: accounts that are new, fixed or grown, the verdict, counts; exit 1 if it is worse
    Diff(DiffArgs),
    /// List all results below a place by name, and how their exceptions burn down; exit by the verdict of the last one
    History(HistoryArgs),
    /// List the accounts that may flip, ring by ring, and what holds the others, by a finished comparison
    Rollout(RolloutArgs),
    /// Submit a comparison to a coordinator
    #[command(override_usage = "shadowdiff submit [OPTIONS] SPEC\n       shadowdiff submit [OPTIONS] LIVE SHADOW --key COLUMNS")]
    Submit(SubmitArgs),
    /// List a coordinator's jobs, newest first
    List(ListArgs),
    /// Show one job: phase, tasks, retries, and why it failed
    Status(StatusArgs),
    /// Follow a job until it has ended; exit as `compare` does
    Watch(WatchArgs),
    /// Ask a job to end
    Cancel(JobArgs),
    /// Fetch a finished job's result
    Results(ResultsArgs),
    /// Run the coordinator of a cluster: takes jobs, keeps them in a state store, gives their tasks to workers
    Coordinator(CoordinatorArgs),
    /// Run a worker of a cluster: takes tasks from a coordinator, keeps nothing
    Worker(WorkerArgs),
    /// Print the JSON Schema of the spec, for editors
    Schema {
        /// That of the file of a suite
        #[arg(long)]
        suite: bool,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one of every command into a directory
    Man(ManArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    #[command(flatten)]
    pub(crate) settings: SettingArgs,
    /// Replace an older result at the output's place
    #[arg(long, env = "SHADOWDIFF_OVERWRITE", value_parser = yes_or_no)]
    pub(crate) overwrite: bool,
    /// Tell this address when the comparison has ended: an HTTP POST of a CloudEvent
    #[arg(long, env = "SHADOWDIFF_NOTIFY", hide_env_values = true, value_name = "URL")]
    pub(crate) notify: Option<String>,
    /// Let this coordinator's workers do it, such as http://localhost:7400; settings of this process are not used then
    #[arg(long, value_name = "URL")]
    pub(crate) coordinator: Option<String>,
    #[command(flatten)]
    pub(crate) profile: ProfileArgs,
    #[command(flatten)]
    pub(crate) shown: ShownArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SuiteArgs {
    /// The file of the suite, YAML or JSON
    pub(crate) suite: String,
    /// Replace ${NAME} in the file of the suite; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub(crate) set: Vec<(String, String)>,
    /// Where the results go, each in a folder of its own: a directory or URL [default: the suite's `output`, else shadowdiff-suite beside it]
    #[arg(long, short, value_name = "DIR")]
    pub(crate) output: Option<String>,
    #[command(flatten)]
    pub(crate) settings: SettingArgs,
    /// Replace older results there
    #[arg(long, env = "SHADOWDIFF_OVERWRITE", value_parser = yes_or_no)]
    pub(crate) overwrite: bool,
    /// Let this coordinator's workers do it, as a job for each task with the labels `suite` and `task`
    #[arg(long, value_name = "URL")]
    pub(crate) coordinator: Option<String>,
    /// Tell this address when the suite has ended: an HTTP POST of a CloudEvent
    #[arg(long, env = "SHADOWDIFF_NOTIFY", hide_env_values = true, value_name = "URL")]
    pub(crate) notify: Option<String>,
    #[command(flatten)]
    pub(crate) shown: ShownArgs,
}

/// The coordinator that a command speaks to.
#[derive(Debug, Args)]
pub(crate) struct RemoteArgs {
    /// The coordinator
    #[arg(long, env = "SHADOWDIFF_COORDINATOR", value_name = "URL", default_value = "http://127.0.0.1:7400")]
    pub(crate) coordinator: String,
}

#[derive(Debug, Args)]
pub(crate) struct SubmitArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    #[command(flatten)]
    pub(crate) remote: RemoteArgs,
    /// Names this submission: the same token with the same content gives the same job [default: drawn]
    #[arg(long, value_name = "TOKEN", default_value = "", hide_default_value = true)]
    pub(crate) token: String,
    /// Weight when workers are shared, 1 to 100
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) priority: u32,
    /// The most tasks that run at a time [default: no limit]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub(crate) max_running: u32,
    /// A label by which the job is found again, such as suite=nightly; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub(crate) label: Vec<(String, String)>,
    /// Wait for the end, fetch the result, exit as `compare` does
    #[arg(long)]
    pub(crate) wait: bool,
    /// Replace an older result at the output's place
    #[arg(long, env = "SHADOWDIFF_OVERWRITE", value_parser = yes_or_no)]
    pub(crate) overwrite: bool,
    /// Print JSON instead of text: the summary with --wait, else the job's id
    #[arg(long)]
    pub(crate) json: bool,
    /// Say nothing but errors
    #[arg(long, short, env = "SHADOWDIFF_QUIET", value_parser = yes_or_no)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) color: ColorArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) remote: RemoteArgs,
    /// Only jobs that have not ended
    #[arg(long)]
    pub(crate) unfinished: bool,
    /// Only jobs with this label, such as suite=nightly; may be repeated: all of them
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub(crate) label: Vec<(String, String)>,
    /// Print a JSON array with an object a job
    #[arg(long)]
    pub(crate) json: bool,
}

/// A job of a coordinator.
#[derive(Debug, Args)]
pub(crate) struct JobArgs {
    /// The job's id, as `submit` and `list` print it
    pub(crate) job: String,
    #[command(flatten)]
    pub(crate) remote: RemoteArgs,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) job: JobArgs,
    /// Print a JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    #[command(flatten)]
    pub(crate) job: JobArgs,
    /// Print one JSON object per line whenever the job has moved on, the last one when it has ended
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ResultsArgs {
    #[command(flatten)]
    pub(crate) job: JobArgs,
    /// The directory to write [default: the job's id]
    #[arg(long, short, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// Replace an older result there
    #[arg(long)]
    pub(crate) overwrite: bool,
    #[command(flatten)]
    pub(crate) profile: ProfileArgs,
    #[command(flatten)]
    pub(crate) shown: ShownArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    #[command(flatten)]
    pub(crate) settings: SettingArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PowerArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    #[command(flatten)]
    pub(crate) settings: SettingArgs,
    /// The most rows of live that are looked at
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) rows: u32,
    /// Where changes are planted: another seed chooses other rows
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) answer: AnswerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ShrinkArgs {
    /// The directory or URL that a comparison wrote; its data are read again
    pub(crate) result: PathBuf,
    /// What is to be shown: the fingerprint of a pattern, as reports show it
    #[arg(long, value_name = "FINGERPRINT")]
    pub(crate) pattern: String,
    /// The folder to write, which must not be there yet [default: shadowdiff-FINGERPRINT]
    #[arg(long, short, value_name = "FOLDER")]
    pub(crate) output: Option<String>,
    /// Columns whose real values are wanted, separated by commas
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub(crate) keep: Vec<String>,
    /// Draw the masks by this number, for the same bytes each time; whoever knows it can undo masks [default: by chance]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
    /// The spec of the result: relative paths start at its folder [default: as in the result, from the working directory]
    #[arg(long, value_name = "FILE")]
    pub(crate) spec: Option<String>,
    /// The value of `${NAME}` in the spec; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_and_value, requires = "spec")]
    pub(crate) set: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) settings: SettingArgs,
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The live dataset: a file, directory, glob or URL
    pub(crate) live: String,
    /// The shadow dataset
    pub(crate) shadow: String,
    /// The account columns, separated by commas [default: the most likely one]
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub(crate) account: Vec<String>,
    /// The key columns, separated by commas [default: the most likely ones that name each row once]
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub(crate) key: Vec<String>,
    #[command(flatten)]
    pub(crate) csv: CsvArgs,
    /// The file to write, which must not be there yet [default: stdout]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The directory where the pages go, such as /usr/local/share/man/man1; made if it is not there
    #[arg(long, short, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// The directory or URL that a comparison or a suite wrote
    pub(crate) result: PathBuf,
    #[command(flatten)]
    pub(crate) profile: ProfileArgs,
    #[command(flatten)]
    pub(crate) shown: ShownArgs,
}

#[derive(Debug, Args)]
pub(crate) struct JudgeArgs {
    /// The directory or URL that a comparison wrote, whose spec has `output: {judgeable: true}`
    pub(crate) result: PathBuf,
    /// The spec that judges: of the other one it differs in `expected`, `accepted`, `verdict`, `as_of` and `output` alone
    #[arg(long, value_name = "FILE")]
    pub(crate) spec: String,
    /// Tell what the verdict would be by other tolerances of each column, and what tighter ones would leave; writes no result
    #[arg(long, conflicts_with_all = ["output", "overwrite", "html", "markdown", "junit"])]
    pub(crate) sensitivity: bool,
    /// The value of `${NAME}` in the spec; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub(crate) set: Vec<(String, String)>,
    /// Where the result goes: a directory or URL [default: what the spec says, else shadowdiff-out beside it]
    #[arg(long, short, value_name = "URL")]
    pub(crate) output: Option<String>,
    /// Replace an older result there
    #[arg(long, env = "SHADOWDIFF_OVERWRITE", value_parser = yes_or_no)]
    pub(crate) overwrite: bool,
    /// Directory for what does not fit the memory [default: the system's temporary directory]
    #[arg(long, env = "SHADOWDIFF_SCRATCH", value_name = "DIR")]
    pub(crate) scratch: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) shown: ShownArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SuggestArgs {
    /// The directory or URL that a comparison wrote, whose spec has `output: {judgeable: true}`
    pub(crate) result: PathBuf,
    /// A spec that judges the result, as with `judge` [default: the spec of the comparison]
    #[arg(long, value_name = "FILE")]
    pub(crate) spec: Option<String>,
    /// The value of `${NAME}` in the spec; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_and_value, requires = "spec")]
    pub(crate) set: Vec<(String, String)>,
    /// Directory for what does not fit the memory [default: the system's temporary directory]
    #[arg(long, env = "SHADOWDIFF_SCRATCH", value_name = "DIR")]
    pub(crate) scratch: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) answer: AnswerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RolloutArgs {
    /// The directory or URL that a comparison wrote, whose spec has `output: {accounts: all}`
    pub(crate) result: PathBuf,
    /// How far each ring goes: rising shares of the safe accounts, rounded up to whole accounts
    #[arg(long, value_name = "SHARES", default_value = "1%,10%,50%")]
    pub(crate) rings: String,
    /// The accounts that may flip, as CSV: no others do, and those that the data did not have are listed [default: all that were compared]
    #[arg(long, value_name = "FILE")]
    pub(crate) accounts: Option<String>,
    /// Where the spec's baseline names a file of accounts: that list, as the comparison read it
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<String>,
    /// The folder for the lists
    #[arg(long, short, value_name = "FOLDER", default_value = "shadowdiff-rollout")]
    pub(crate) output: String,
    /// Replace an older roll-out there
    #[arg(long, env = "SHADOWDIFF_OVERWRITE", value_parser = yes_or_no)]
    pub(crate) overwrite: bool,
    /// Print rollout.json instead of text
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) color: ColorArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The earlier result: the directory or URL that a comparison wrote, or with --coordinator the id of a finished job
    pub(crate) before: PathBuf,
    /// The later result
    pub(crate) after: PathBuf,
    /// Hold the results of two jobs of this coordinator against each other, such as http://localhost:7400
    #[arg(long, value_name = "URL")]
    pub(crate) coordinator: Option<String>,
    /// Directory for what does not fit the memory [default: the system's temporary directory]
    #[arg(long, env = "SHADOWDIFF_SCRATCH", value_name = "DIR")]
    pub(crate) scratch: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) answer: AnswerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// A directory or URL below which comparisons wrote their results
    pub(crate) place: PathBuf,
    /// Write the history as a page for people too: one file without a network, less than 2 MB
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) answer: AnswerArgs,
}

/// What to compare. The command line beats the spec.
#[derive(Debug, Args)]
pub(crate) struct SpecArgs {
    /// A spec, YAML or JSON, `-` reads it from stdin; or two datasets, first live, then shadow: files, directories, globs or URLs
    #[arg(value_name = "SPEC | LIVE SHADOW", num_args = 0..=2)]
    pub(crate) positions: Vec<String>,
    /// The live dataset: a file, directory, glob or URL; may be repeated
    #[arg(long, value_name = "PATH")]
    pub(crate) live: Vec<String>,
    /// The shadow dataset
    #[arg(long, value_name = "PATH")]
    pub(crate) shadow: Vec<String>,
    /// The account columns, which name a customer, separated by commas [default: the key]
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub(crate) account: Vec<String>,
    /// The key columns, which name a row, separated by commas; without a spec and without a key one is proposed
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub(crate) key: Vec<String>,
    /// Columns that are not compared, separated by commas; `*` stands for any characters
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub(crate) exclude: Vec<String>,
    /// Compare only rows for which this SQL is true
    #[arg(long = "where", value_name = "SQL")]
    pub(crate) filter: Option<String>,
    /// Let values of a column differ by N; `*` stands for any characters; may be repeated
    #[arg(long, value_name = "COLUMN=N", value_parser = column_and_limit)]
    pub(crate) absolute: Vec<(String, String)>,
    /// Let values of a column differ by a share of the old one, such as 5% or 0.05; may be repeated
    #[arg(long, value_name = "COLUMN=N", value_parser = column_and_limit)]
    pub(crate) relative: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) csv: CsvArgs,
    /// Where the result goes: a directory or URL [default: the spec's `output`, else shadowdiff-out beside the spec or here]
    #[arg(long, short, value_name = "DIR")]
    pub(crate) output: Option<String>,
    /// Replace ${NAME} in the spec; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub(crate) set: Vec<(String, String)>,
}

/// How CSV files are written.
#[derive(Debug, Args)]
pub(crate) struct CsvArgs {
    /// How CSV files are written: a field of `csv:` in a spec, such as delimiter=";" or shadow.encoding=latin1; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = csv_field)]
    pub(crate) csv: Vec<CsvOverride>,
}

/// What changes no byte of the result.
#[derive(Debug, Args)]
pub(crate) struct SettingArgs {
    /// Tasks that run at a time [default: the number of cores]
    #[arg(long, env = "SHADOWDIFF_THREADS", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// Memory to use, such as 512MiB or 8GB [default: half of what the machine or container has]
    #[arg(long, env = "SHADOWDIFF_MEMORY", value_name = "SIZE", value_parser = size)]
    pub(crate) memory: Option<u64>,
    /// Into how many shards the rows left after cancelling are divided [default: by the size of the data]
    #[arg(long, env = "SHADOWDIFF_SHARDS", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) shards: Option<u32>,
    /// Directory for what does not fit the memory [default: the system's temporary directory]
    #[arg(long, env = "SHADOWDIFF_SCRATCH", value_name = "DIR")]
    pub(crate) scratch: Option<PathBuf>,
    /// Optimisations to switch off, separated by commas; the result stays the same
    #[arg(
        long,
        env = "SHADOWDIFF_DISABLE",
        value_name = "NAMES",
        value_delimiter = ',',
        hide_short_help = true
    )]
    pub(crate) disable: Vec<Optimisation>,
    #[command(flatten)]
    pub(crate) exchange: ExchangeArgs,
    /// Say nothing but errors
    #[arg(long, short, env = "SHADOWDIFF_QUIET", value_parser = yes_or_no)]
    pub(crate) quiet: bool,
    /// What to log to stderr, such as `info` or `shadowdiff_coordinator=debug`
    #[arg(long, env = "SHADOWDIFF_LOG", value_name = "FILTER", default_value = "error")]
    pub(crate) log: String,
}

/// An optimisation of the scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Optimisation {
    /// Parquet files that are the same object on both sides are not read
    SameObject,
    /// What both sides store the same is not decoded: columns of Parquet row groups, rows of text
    SameChunk,
    /// Rows in the same order on both sides cancel as they come
    SamePosition,
    /// Rows out of step cancel in a bounded window
    Window,
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct ExchangeArgs {
    /// In what form rows that have not cancelled are exchanged; the result stays the same
    #[arg(
        long,
        env = "SHADOWDIFF_EXCHANGE",
        value_name = "FORM",
        default_value = "auto",
        hide_short_help = true
    )]
    exchange: Exchange,
}

/// In what form rows go through the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Exchange {
    /// As a look at the first rows suggests
    Auto,
    /// Whole rows
    Rows,
    /// Fingerprints; rows without a partner are read again. For sides in different order that mostly agree
    Fingerprints,
}

impl ExchangeArgs {
    /// `None` where a look at the data decides.
    pub(crate) fn form(self) -> Option<Form> {
        match self.exchange {
            Exchange::Auto => None,
            Exchange::Rows => Some(Form::Rows),
            Exchange::Fingerprints => Some(Form::Fingerprints),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
