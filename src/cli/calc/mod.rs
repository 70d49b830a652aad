//! `stammgast calc`: the experiment calculator.

mod experiment;

use super::{App, Done};
use crate::policy::bucket;

/// Calculate with experiments: two arms, people needed, a split, the bucket of a customer
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  stammgast calc ab --control 500/10000 --treated 560/10000\n  stammgast calc mde --rate 0.05 --people 4000\n  \
    stammgast calc srm --people 5000,5200 --weights 0.5,0.5\n  stammgast calc bucket --seed win-back --value 1042 --weights 0.1,0.45,0.45")]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Ab(experiment::Ab),
    Mde(experiment::Mde),
    Srm(experiment::Srm),
    Bucket(BucketArgs),
}

/// Show the bucket and variation that a customer gets (GrowthBook's hash, version 2)
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  stammgast calc bucket --seed win-back --value 1042 --weights 0.1,0.45,0.45\n\n\
    With a control group its weight comes first: variation 0 is the control.")]
struct BucketArgs {
    /// The experiment's key: the rule's name unless the rule says .experiment(…)
    #[arg(long, allow_hyphen_values = true)]
    seed: String,
    /// The customer's external id
    #[arg(long, allow_hyphen_values = true)]
    value: String,
    /// Weights of the variations, adding up to 1 (otherwise all count the same)
    #[arg(long, value_delimiter = ',', required = true, value_parser = weight)]
    weights: Vec<f64>,
}

fn weight(text: &str) -> Result<f64, String> {
    text.trim().parse().ok().filter(|weight| (0.0..=1.0).contains(weight)).ok_or_else(|| "expected a number from 0 to 1".to_owned())
}

pub(super) fn run(args: Args, app: &App) -> anyhow::Result<Done> {
    match args.what {
        What::Ab(args) => experiment::ab(&args, app),
        What::Mde(args) => experiment::mde(&args, app),
        What::Srm(args) => experiment::check_split(&args, app),
        What::Bucket(args) => Ok(show_bucket(&args, app)),
    }
}

fn show_bucket(args: &BucketArgs, app: &App) -> Done {
    let bucket = bucket::bucket(&args.seed, &args.value);
    let variation = bucket::choose(&args.seed, &args.value, &args.weights);
    if app.json {
        println!("{}", serde_json::json!({ "bucket": bucket, "variation": variation }));
        return Done::Well;
    }
    match (bucket, variation) {
        (Some(bucket), Some(variation)) => println!("bucket {bucket:.4}, variation {variation}"),
        (Some(bucket), None) => println!("bucket {bucket:.4}, no variation: the weights leave a rest"),
        (None, _) => println!("no bucket: the value is empty"),
    }
    Done::Well
}
