"""English names of findings, how they look, and where they are; for made reports."""

# A tilde marks a noun that takes no article.
NAMES = {
    "nodule": ("nodule", "nodular lesion", "rounded nodule"),
    "mass": ("mass", "mass lesion", "space-occupying lesion", "tumour"),
    "metastasis": ("metastasis", "metastatic lesion", "secondary deposit"),
    "adenopathy": ("enlarged lymph node", "~lymphadenopathy", "pathological lymph node"),
    "pneumothorax": ("pneumothorax", "collection of pleural air"),
    "effusion": ("pleural effusion", "effusion", "pleural fluid collection"),
    "free_air": ("~free air", "~pneumoperitoneum", "~free intraperitoneal gas"),
    "ascites": ("~ascites", "~free abdominal fluid", "~peritoneal fluid"),
    "consolidation": ("consolidation", "airspace consolidation", "pneumonic infiltrate"),
    "abscess": ("abscess", "rim-enhancing collection", "infected collection"),
    "fracture": ("fracture", "cortical break", "fracture line"),
    "embolus": ("embolus", "filling defect", "~thromboembolism"),
    "dissection": ("dissection", "intimal flap", "double lumen"),
    "aneurysm": ("aneurysm", "aneurysmal dilatation", "saccular aneurysm"),
    "infarct": ("infarct", "infarction", "ischaemic lesion"),
    "haemorrhage": ("haemorrhage", "haematoma", "parenchymal bleed"),
    "subdural": ("subdural haematoma", "extra-axial haemorrhage", "subdural collection of blood"),
    "granuloma": ("granuloma", "calcified nodule", "granulomatous nodule"),
    "scar": ("scar", "fibrotic band", "linear scar"),
    "atelectasis": ("area of atelectasis", "plate-like atelectasis", "~volume loss"),
    "bulla": ("bulla", "emphysematous bulla", "air cyst"),
    "thickening": ("~pleural thickening", "pleural cap", "pleural plaque"),
    "coronary": ("~calcification", "~calcified plaque", "~atherosclerosis"),
    "small_node": ("small lymph node", "lymph node of normal shape", "non-enlarged node"),
    "cyst": ("cyst", "simple cyst", "cystic lesion without enhancement"),
    "haemangioma": ("haemangioma", "typical haemangioma", "vascular lesion of benign type"),
    "stone": ("stone", "calculus", "non-obstructing stone"),
    "diverticula": ("~diverticulosis", "group of diverticula", "diverticulum without inflammation"),
    "calcification": ("~wall calcification", "~atheroma", "~calcified plaque"),
    "bone_island": ("bone island", "sclerotic focus", "dense focus of benign type"),
    "degeneration": ("~degenerative change", "~spondylosis", "~osteophyte formation"),
    "white_matter": ("~white matter change", "~microangiopathy", "~leukoaraiosis"),
    "arachnoid_cyst": ("arachnoid cyst", "cyst of fluid density"),
    "retention_cyst": ("retention cyst", "mucous cyst", "polypoid opacity"),
    "mucosa": ("~mucosal thickening", "~mucosal swelling"),
}  # fmt: skip

LOOKS = {
    "nodule": ("solid", "part-solid", "spiculated", "ill-defined", "well-defined", "lobulated"),
    "mass": ("irregular", "enhancing", "lobulated", "heterogeneous", "solid", "well-defined"),
    "metastasis": ("enhancing", "osteolytic", "ill-defined", "hypodense"),
    "adenopathy": ("rounded", "necrotic", "matted"),
    "consolidation": ("patchy", "dense", "ill-defined"),
    "fracture": ("displaced", "non-displaced", "comminuted", "transverse"),
    "embolus": ("central", "occlusive", "non-occlusive", "segmental"),
    "infarct": ("wedge-shaped", "hypodense", "cortical"),
    "haemorrhage": ("hyperdense", "lobulated", "ill-defined"),
    "granuloma": ("solid", "well-defined", "dense", "small"),
    "scar": ("irregular", "dense", "thin", "spiculated"),
    "cyst": ("well-defined", "hypodense", "lobulated", "thin-walled"),
    "haemangioma": ("enhancing", "well-defined", "lobulated"),
    "bone_island": ("dense", "well-defined", "rounded"),
    "small_node": ("rounded", "oval", "well-defined"),
}  # fmt: skip

SITES = {
    "lung": (
        "in the right upper lobe|in the RUL|in the upper lobe of the right lung",
        "in the right middle lobe|in the middle lobe",
        "in the right lower lobe|in the RLL|at the right lung base",
        "in the left upper lobe|in the LUL|in the upper lobe of the left lung",
        "in the lingula|in the lingular segment",
        "in the left lower lobe|in the LLL|at the left lung base",
    ),
    "apex": (
        "at the right apex|in the right apical region", "at the left apex|at the left lung apex",
    ),
    "pleura": (
        "in the right pleural space|on the right|in the right hemithorax",
        "in the left pleural space|on the left|in the left hemithorax",
    ),
    "mediastinum": (
        "in the right paratracheal region|in station 4R", "in the subcarinal region|in station 7",
        "in the anterior mediastinum|in the prevascular space",
        "in the left hilum|at the left hilum",
    ),
    "artery": (
        "in the right main pulmonary artery|in the right pulmonary artery",
        "in the left lower lobe artery|in the left basal pulmonary artery",
        "in a right upper lobe artery|in a branch to the right upper lobe",
    ),
    "aorta": (
        "in the descending aorta|in the distal thoracic aorta",
        "in the infrarenal aorta|below the renal arteries",
        "at the level of the aortic hiatus|at the diaphragm",
    ),
    "heart": (
        "in the left anterior descending artery|in the LAD",
        "in the right coronary artery|in the RCA",
    ),
    "rib": (
        "in the right sixth rib|in the sixth rib on the right",
        "in the left eighth rib|in the eighth rib on the left",
        "in the sternum|in the body of the sternum",
        "in the T8 vertebra|in the eighth thoracic vertebra",
    ),
    "spine": (
        "in the L1 vertebra|in the first lumbar vertebra",
        "in the L4 vertebra|in the fourth lumbar vertebra", "in the sacrum|in the sacral bone",
        "in the right iliac bone|in the right ilium",
    ),
    "liver": (
        "in liver segment 4|in segment IV of the liver",
        "in liver segment 7|in segment VII of the liver",
        "in the left hepatic lobe|in the left lobe of the liver",
        "in the right hepatic lobe|in the right lobe of the liver",
    ),
    "kidney": (
        "in the right kidney|at the upper pole of the right kidney",
        "in the left kidney|at the lower pole of the left kidney",
    ),
    "pancreas": (
        "in the head of the pancreas|in the pancreatic head",
        "in the tail of the pancreas|in the pancreatic tail",
    ),
    "peritoneum": (
        "under the diaphragm|in the subphrenic space", "in the pelvis|in the pouch of Douglas",
        "around the liver|in the perihepatic space",
    ),
    "nodes": (
        "beside the aorta|in the para-aortic region", "at the porta hepatis|in the hepatic hilum",
        "in the right groin|in the right inguinal region",
    ),
    "bowel": ("in the sigmoid colon|at the sigmoid", "at the caecum|in the caecal region"),
    "brain": (
        "in the right frontal lobe|in the frontal lobe on the right",
        "in the left parietal lobe|in the left parietal region",
        "in the left cerebellar hemisphere|in the left cerebellum",
        "in the right basal ganglia|in the right putaminal region",
    ),
    "meninges": (
        "over the right convexity|along the right hemisphere",
        "over the left convexity|along the left hemisphere",
        "in the posterior fossa|along the tentorium",
    ),
    "skull": (
        "in the right temporal bone|in the temporal bone on the right",
        "in the occipital bone|in the occiput",
        "in the left frontal bone|in the frontal bone on the left",
    ),
    "sinus": (
        "in the right maxillary sinus|in the maxillary sinus on the right",
        "in the ethmoid cells|in the ethmoid sinus",
    ),
}  # fmt: skip
