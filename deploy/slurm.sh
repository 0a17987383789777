#!/bin/bash
#SBATCH --job-name=geogap
#SBATCH --array=1-8
#SBATCH --cpus-per-task=16
#SBATCH --mem=32G
#SBATCH --requeue
# Each task of the array does one share; a task that is requeued does what is missing.
set -euo pipefail
export HF_HOME="${HF_HOME:-/shared/cache}"
geogap evaluate --model testbed --suite paper --data /shared/data --out /shared/results --part auto --quiet
