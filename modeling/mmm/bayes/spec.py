"""What the Bayesian comparison reads and writes."""

from modeling.mmm.spec import INPUTS as MIX_INPUTS

JOB = "mmm_bayes"
REQUIRES: tuple[str, ...] = ()
INPUTS: dict[str, tuple[str, ...]] = dict(MIX_INPUTS)
OUTPUTS: dict[str, dict[str, str]] = {
    "mmm_bayes_comparison": {
        "model": "varchar(32)",
        "fold": "integer",
        "metric": "varchar(48)",
        "value": "double precision",
    },
}
