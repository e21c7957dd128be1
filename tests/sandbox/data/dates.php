<?php
// Writes dates.json: what PHP's strtotime makes of the texts in dates.txt, at two times of Europe/Amsterdam.
// Run: php dates.php > dates.json
date_default_timezone_set("Europe/Amsterdam");
$times = ["2024-01-17 12:34:56", "2024-07-17 12:34:56"];
$found = [];
foreach (file(__DIR__ . "/dates.txt", FILE_IGNORE_NEW_LINES) as $text) {
    $moments = [];
    foreach ($times as $now) {
        $moment = strtotime($text, strtotime($now));
        $moments[] = $moment === false ? null : date("Y-m-d H:i:s", $moment);
    }
    $found[] = json_encode([$text, ...$moments], JSON_UNESCAPED_SLASHES);
}
echo "{\"php\": \"", PHP_VERSION, "\", \"timezone\": \"Europe/Amsterdam\", \"now\": ", json_encode($times), ",\n";
echo " \"texts\": [\n  ", implode(",\n  ", $found), "\n]}\n";
