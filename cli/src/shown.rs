//! What a command says of a finished result, the same for all that come to one.

use crate::process::exit_code;
use crate::render::{self, ColorArgs, Paint};
use crate::renderings::RenderingArgs;
use crate::{say, say_json};
use clap::Args;
use serde::Serialize;
use shadowdiff_core::error::Result;
use shadowdiff_core::report::Summary;
use std::path::Path;
use std::process::ExitCode;

/// How an answer is told: as text, or as JSON to a program.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct AnswerArgs {
    /// Print JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) color: ColorArgs,
}

impl AnswerArgs {
    pub(crate) fn tell<T: Serialize>(self, answer: &T, text: impl FnOnce(&T, Paint) -> String) -> Result<ExitCode> {
        if self.json {
            say_json(answer)
        } else {
            say(&text(answer, self.color.paint()))
        }
    }
}

/// How a finished result is shown.
#[derive(Debug, Clone, Args)]
pub(crate) struct ShownArgs {
    #[command(flatten)]
    pub(crate) renderings: RenderingArgs,
    /// Print the summary as JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) color: ColorArgs,
}

impl ShownArgs {
    /// How what is no result is told by a command that mostly shows one.
    pub(crate) fn of_answer(&self) -> AnswerArgs {
        AnswerArgs {
            json: self.json,
            color: self.color,
        }
    }

    /// Writes the renderings, says what came out, and gives the exit code. `directory`: where the result can be read. `place`: what the user
    /// calls it.
    pub(crate) fn show(&self, summary: &Summary, directory: &Path, place: &str, quiet: bool) -> Result<ExitCode> {
        self.renderings.write(summary, directory)?;
        if self.json {
            say_json(summary)?;
        } else if !quiet {
            say(&render::text(summary, directory, place, self.color.paint()))?;
        }
        Ok(exit_code(summary.verdict))
    }
}
