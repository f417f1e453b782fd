// The commands that need libtorch: what `--help` says of them, whether the program was built with
// it or not.
#pragma once

#include "harness/cli/command.h"

namespace niah {

inline constexpr CommandText kReproduce = {
    "reproduce",
    "The paper's story end to end: on the small models that come with the program, or on a pair "
    "of checkpoints",
    "niah reproduce --quick\n"
    "  niah reproduce --family HypeNet-2B --pre hypenet-2b --post hypenet-2b-cot --out runs/2b"};
inline constexpr CommandText kRestore = {
    "restore", "Write a fine-tuned checkpoint with W_Q and W_K put back to what they were before",
    "niah restore --pre base --post base-cot --out base-cot-qk --method qk\n"
    "  niah restore --pre base --adapter lora --out lora-qk --method qk"};
inline constexpr CommandText kDiagnose = {
    "diagnose",
    "What a fine-tune did inside: how far weights and routing moved, and which heads still look "
    "at the needle",
    "niah diagnose --pre base --post base-cot --out runs/base-cot --length 16K"};
inline constexpr CommandText kAttribute = {
    "attribute",
    "Which part of the weights forgot: recall with each part put back alone, and with all but it",
    "niah attribute --quick\n"
    "  niah attribute --pre base --post base-cot --out runs/attribution\n"
    "  niah attribute --pre base --post base-cot --greedy --out runs/attribution\n"
    "  niah attribute --pre base --post base-cot --by-layer q,k --out runs/layers"};
inline constexpr CommandText kReplay = {
    "replay", "Ask one sample of a run again, alone (exit 1: the answer is not the recorded one)",
    "niah replay runs/reproduce s2@16K#7 --variant sft"};
inline constexpr CommandText kInfo = {"info", "What a checkpoint is", "niah info models/zoo/base"};
inline constexpr CommandText kVerify = {
    "verify", "Compare logits with those recorded from a reference implementation",
    "niah verify my-checkpoint --golden golden.safetensors"};
inline constexpr CommandText kSelftest = {
    "selftest",
    "Does a checkpoint give the same answer however its text is cut: whole, in chunks, token by "
    "token, past 32K?",
    "niah selftest models/zoo/base"};
inline constexpr CommandText kTrain = {
    "train", "Train or fine-tune a small model by a recipe (resumes by itself)",
    "niah train configs/zoo/base.yaml --out runs/zoo/base"};

}  // namespace niah
