#!/bin/bash
# One system of a set for each task of an array; the same command as anywhere else, so a task that ran out of time goes on
# when the array is submitted again: sbatch --array=0-18 configs/generate/slurm-array.sh configs/generate/spe-450K-train.yaml
#SBATCH --job-name=electrolytes
#SBATCH --cpus-per-task=4
#SBATCH --mem=4G
#SBATCH --time=24:00:00
#SBATCH --output=runs/generate/slurm-%A-%a.log
# For OpenMM: #SBATCH --gres=gpu:1, and engine=openmm below.
set -eu
config=$1
engine=${2:-auto}
name=$(basename "$config" .yaml)
systems=($(awk '/^systems:/ { inside = 1; next } inside && /^  [^ #]/ { sub(":.*", "", $1); print $1 }' "$config"))
cgsim generate electrolyte --config "$config" --only "${systems[$SLURM_ARRAY_TASK_ID]}" -o "runs/$name" \
  --work "runs/generate/$name" --engine "$engine" --threads "${SLURM_CPUS_PER_TASK:-1}"
