"""Make the shipped table of AM1-BCC charges: ``python -m cgsim.reference.electrolyte.make_charge_table``.

Needs antechamber; takes a few seconds for each unit.
"""

import json
from pathlib import Path

from cgsim.reference.electrolyte.antechamber import KEYWORDS
from cgsim.reference.electrolyte.charges import N_CONFORMERS, SEED, TABLE, make_unit_charges, to_document
from cgsim.reference.electrolyte.repeat_unit import parse_unit

UNITS: dict[str, str] = {
    # Ethers
    "POM, poly(oxymethylene)": "*OC*",
    "PEO, poly(ethylene oxide)": "*OCC*",
    "PPO, poly(propylene oxide)": "*OCC(C)*",
    "PBO, poly(1,2-butylene oxide)": "*OCC(CC)*",
    "PTMO, poly(trimethylene oxide)": "*OCCC*",
    "PTHF, poly(tetramethylene oxide)": "*OCCCC*",
    "P(EO-alt-TMO)": "*OCCOCCC*",
    "P(EO-alt-THF)": "*OCCOCCCC*",
    "PVME, poly(vinyl methyl ether)": "*CC(OC)*",
    "PVMEE, poly(vinyl methoxyethyl ether)": "*CC(OCCOC)*",
    "PMGE, poly(methyl glycidyl ether)": "*OCC(COC)*",
    "PEGE, poly(ethyl glycidyl ether)": "*OCC(COCC)*",
    "PMEGE, poly(methoxyethyl glycidyl ether)": "*OCC(COCCOC)*",
    "PAGE, poly(allyl glycidyl ether)": "*OCC(COCC=C)*",
    # Acetals
    "PDOL, poly(1,3-dioxolane), P(MO-alt-EO)": "*OCOCC*",
    "P(MO-alt-2EO), poly(1,3,6-trioxocane)": "*OCOCCOCC*",
    "P(MO-alt-3EO), poly(1,3,6,9-tetraoxacycloundecane)": "*OCOCCOCCOCC*",
    "P(MO-alt-TMO), poly(1,3-dioxane)": "*OCOCCC*",
    "P(MO-alt-THF), poly(1,3-dioxepane)": "*OCOCCCC*",
    "P(MO-alt-PO), poly(4-methyl-1,3-dioxolane)": "*OCOCC(C)*",
    # Carbonates
    "PEC, poly(ethylene carbonate)": "*OC(=O)OCC*",
    "PPC, poly(propylene carbonate)": "*OC(=O)OCC(C)*",
    "PTMC, poly(trimethylene carbonate)": "*OC(=O)OCCC*",
    "P(DEG carbonate), poly(diethylene glycol carbonate)": "*OC(=O)OCCOCC*",
    # Esters
    "PGA, poly(glycolide)": "*OCC(=O)*",
    "PLA, poly(lactide)": "*OC(C)C(=O)*",
    "PHB, poly(3-hydroxybutyrate)": "*OC(C)CC(=O)*",
    "PCL, poly(epsilon-caprolactone)": "*OC(=O)CCCCC*",
    "PVL, poly(delta-valerolactone)": "*OC(=O)CCCC*",
    "PES, poly(ethylene succinate)": "*OC(=O)CCC(=O)OCC*",
    "PEA, poly(ethylene adipate)": "*OC(=O)CCCCC(=O)OCC*",
    "PEM, poly(ethylene malonate)": "*OC(=O)CC(=O)OCC*",
    "P(EO-glycolate), poly(p-dioxanone)": "*OCCOCC(=O)*",
    "PVAc, poly(vinyl acetate)": "*CC(OC(C)=O)*",
    "PMA, poly(methyl acrylate)": "*CC(C(=O)OC)*",
    "PMMA, poly(methyl methacrylate)": "*CC(C)(C(=O)OC)*",
    "PMEA, poly(methoxyethyl acrylate)": "*CC(C(=O)OCCOC)*",
    "PMEMA, poly(methoxyethyl methacrylate)": "*CC(C)(C(=O)OCCOC)*",
    "PDEGMA, poly(diethylene glycol methyl ether methacrylate)": "*CC(C)(C(=O)OCCOCCOC)*",
    # Amines and amides
    "PEI, linear poly(ethylene imine)": "*NCC*",
    "PMEI, poly(N-methyl ethylene imine)": "*N(C)CC*",
    "P(EO-alt-EI)": "*OCCNCC*",
    "P(MDEA carbonate), poly(N-methyldiethanolamine carbonate)": "*OC(=O)OCCN(C)CC*",
    "P(EO-glycinamide), poly(3-morpholinone)": "*OCC(=O)NCC*",
    "P(EO-alt-AcEI), of 2-aminoethanol, acetylated": "*OCCN(C(C)=O)CC*",
    "PMOx, poly(2-methyl-2-oxazoline)": "*N(C(C)=O)CC*",
    "P(AMP-glycine), of 2-amino-2-methylpropanol": "*OCC(C)(C)NCC(=O)*",
    "P(lactide-alanine), poly(3,6-dimethylmorpholine-2,5-dione)": "*OC(C)C(=O)NC(C)C(=O)*",
    "P(propylene urethane)": "*OCC(C)NC(=O)*",
    "P(ether urea)": "*OC(C)(C)CNC(=O)NCC*",
    # Groups that many polymers of HTP-MD have (docs/evidence/coverage.py)
    "PPI, linear poly(propylene imine)": "*NCCC*",
    "P(allyl carbonate), poly(2-allyl-2-methyltrimethylene carbonate)": "*CC(C)(CC=C)COC(=O)O*",
    "P(acid urea)": "*NC(=O)NCCCC(*)(C(=O)O)C(F)F",
    "P(amide urethane)": "*OC(C)(CCC(C)CNC(*)=O)C(N)=O",
    "P(hydroxamate carbonate)": "*OC(C=C)C(=O)NOCCOC(*)=O",
    "P(sulphide urethane)": "*OCC(SC)C(C)NC(*)=O",
    "P(fluoro urethane)": "*OC(CNC(*)=O)C(F)(F)C(F)(F)F",
    "P(fluoro carbonate)": "*OC(CF)COC(*)=O",
    "P(chloro sulphide carbonate)": "*OC(CSCC(C)=CCl)COC(*)=O",
    # Others
    "PDTC, poly(2,2-dimethyltrimethylene carbonate)": "*OC(=O)OCC(C)(C)C*",
    "P(EO-hydroxyisobutyrate)": "*OCCOC(=O)C(C)(C)*",
    "PTFEGE, poly(2,2,2-trifluoroethyl glycidyl ether)": "*OCC(COCC(F)(F)F)*",
    "PAN, poly(acrylonitrile)": "*CC(C#N)*",
    "PCEGE, poly(2-cyanoethyl glycidyl ether)": "*OCC(COCCC#N)*",
    "PESu, poly(ethylene sulfide)": "*SCC*",
    "P(EO-alt-ES)": "*OCCSCC*",
    "PVDF, poly(vinylidene fluoride)": "*CC(F)(F)*",
}


def write_table(path: Path) -> None:
    """Compute every unit and write the table with its card."""
    card = {
        "what": "AM1-BCC partial charges (e) of methyl-capped trimers of repeat units: methyl, three units, methyl",
        "method": f"antechamber -c bcc of AmberTools ({KEYWORDS.rstrip(',')}) on {N_CONFORMERS} conformations of RDKit "
        f"(seed {SEED}) relaxed with MMFF94, averaged; equivalent atoms averaged; the middle unit shifted to no "
        "charge, the rest too",
        "command": "python -m cgsim.reference.electrolyte.make_charge_table",
        "origin": "computed for this program with antechamber 22.0; charges carry the licence of this repository",
    }
    entries = []
    for name, smiles in UNITS.items():
        unit = parse_unit(parse_unit(smiles).smiles)  # atoms in the order of the SMILES that stands in the table
        entries.append(to_document(make_unit_charges(unit, name)))
        print(f"{name}: spread {entries[-1]['spread']}, residual {entries[-1]['residual']}", flush=True)
    rows = ",\n".join(json.dumps(entry) for entry in entries)
    path.write_text(f'{{\n"card": {json.dumps(card, indent=1)},\n"units": [\n{rows}\n]\n}}\n')


if __name__ == "__main__":
    write_table(Path(__file__).parent / TABLE)
