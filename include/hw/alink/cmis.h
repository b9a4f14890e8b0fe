/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The part of the CMIS 5 memory map that ALink modules have. Offsets are those
 * of the 256-byte window: 0..127 lower memory, 128..255 the page selected by
 * bank (byte 126) and page (byte 127).
 * Specification: Documentation/hw/optics.rst.
 */
#ifndef HW_ALINK_CMIS_H
#define HW_ALINK_CMIS_H

#include <hw/alink/shim.h>

#define CMIS_I2C_ADDR			0x50
#define CMIS_PAGE_BYTES			128
#define CMIS_BANK_LANES			8
#define CMIS_MAX_LANES			32	/* four banks */

/* Identifiers (SFF-8024) */
#define CMIS_ID_QSFP_DD			0x18
#define CMIS_ID_OSFP			0x19
#define CMIS_MEDIA_TYPE_SMF		0x02
#define CMIS_CONNECTOR_MPO_1X16		0x28
#define CMIS_TECH_1310_DFB		0x04
#define CMIS_HOST_CEI_112G_LINEAR	0x74	/* CEI-112G-LINEAR-PAM4 */
#define CMIS_MEDIA_100G_DR1_LPO		0x8f
#define CMIS_MEDIA_200G_DR2_LPO		0x90
#define CMIS_MEDIA_400G_DR4_LPO		0x91
#define CMIS_MEDIA_800G_DR8_LPO		0x92

/* Lower memory */
#define CMIS_LO_ID			0
#define CMIS_LO_REVISION		1
#define CMIS_LO_FLAGS			2	/* bit 7: flat memory */
#define CMIS_LO_FLAT			ALINK_BIT(7)
#define CMIS_LO_STATE			3	/* bits 3:1 state, bit 0: interrupt NOT asserted */
#define CMIS_LO_STATE_MASK		ALINK_MASK(3, 1)
#define CMIS_LO_NO_INT			ALINK_BIT(0)
#define CMIS_LO_FLAGS_FIRST		8	/* latched, clear on read: 8..11 */
#define CMIS_LO_FLAG_STATE		8	/* bit 0: module state changed */
#define CMIS_LO_FLAG_TEMP_VCC		9	/* temp 3:0, Vcc 7:4; high/low alarm, high/low warning */
#define CMIS_LO_FLAGS_LAST		11
#define CMIS_LO_TEMP			14	/* s16, 1/256 degree */
#define CMIS_LO_VCC			16	/* u16, 100 uV */
#define CMIS_LO_CONTROL			26
#define CMIS_CONTROL_ALLOW_HW		ALINK_BIT(6)	/* LowPwrAllowRequestHW */
#define CMIS_CONTROL_LOW_POWER		ALINK_BIT(4)	/* LowPwrRequestSW */
#define CMIS_CONTROL_RESET		ALINK_BIT(3)	/* SoftwareReset, self-clearing */
#define CMIS_LO_MASKS			31	/* masks of bytes 8..11 */
#define CMIS_LO_FW_MAJOR		39
#define CMIS_LO_FW_MINOR		40
#define CMIS_LO_FAULT			41	/* fault cause */
#define CMIS_LO_FUNCTION		57
#define CMIS_LO_MEDIA_TYPE		85
#define CMIS_LO_APPS			86	/* 8 descriptors of 4 bytes, ended by 0xff */
#define CMIS_APP_BYTES			4
#define CMIS_LO_PASSWORD		118
#define CMIS_LO_BANK			126
#define CMIS_LO_PAGE			127

/* Module states */
#define CMIS_STATE_LOW_POWER		1
#define CMIS_STATE_POWER_UP		2
#define CMIS_STATE_READY		3
#define CMIS_STATE_POWER_DOWN		4
#define CMIS_STATE_FAULT		5

/* CMIS_LO_FAULT */
#define CMIS_FAULT_NONE			0
#define CMIS_FAULT_TEC			1
#define CMIS_FAULT_DATA_MEMORY		2
#define CMIS_FAULT_PROGRAM_MEMORY	3
#define CMIS_FAULT_TRANSMITTER		4
#define CMIS_FAULT_RECEIVER		5
#define CMIS_FAULT_TEMPERATURE		6

/* Page 00h: administrative */
#define CMIS_00_ID			128
#define CMIS_00_VENDOR			129	/* 16 characters */
#define CMIS_00_OUI			145
#define CMIS_00_PN			148	/* 16 characters */
#define CMIS_00_REV			164	/* 2 characters */
#define CMIS_00_SN			166	/* 16 characters */
#define CMIS_00_DATE			182	/* YYMMDD and lot: 8 characters */
#define CMIS_00_CLEI			190
#define CMIS_00_POWER_CLASS		200	/* class - 1 in 7:5 */
#define CMIS_00_POWER_MAX		201	/* 0.25 W */
#define CMIS_00_CABLE_LENGTH		202
#define CMIS_00_CONNECTOR		203
#define CMIS_00_LANES_UNUSED		210
#define CMIS_00_TECHNOLOGY		212
#define CMIS_00_CHECKSUM		222	/* sum of 128..221 */

/* Page 01h: advertising */
#define CMIS_01_FW_INACTIVE		128
#define CMIS_01_HW_REVISION		130
#define CMIS_01_LENGTH_SMF		132
#define CMIS_01_WAVELENGTH		138	/* u16, 0.05 nm */
#define CMIS_01_WAVELENGTH_TOL		140	/* u16, 0.005 nm */
#define CMIS_01_PAGES			142	/* banks in 1:0 (0: one, 1: two, 2: four) */
#define CMIS_01_PAGES_BANKS		ALINK_MASK(1, 0)
#define CMIS_01_DP_INIT			144	/* deinit 7:4, init 3:0, duration codes */
#define CMIS_01_CHARACTERISTICS		145
#define CMIS_01_TEMP_MAX		146	/* s8, degree */
#define CMIS_01_TEMP_MIN		147
#define CMIS_01_VCC_MIN			150	/* 20 mV */
#define CMIS_01_DETECTOR		151
#define CMIS_01_RX_POWER_AVERAGE	ALINK_BIT(4)
#define CMIS_01_TX_CONTROLS		155
#define CMIS_01_TX_DISABLE		ALINK_BIT(1)
#define CMIS_01_RX_CONTROLS		156
#define CMIS_01_RX_DISABLE		ALINK_BIT(1)
#define CMIS_01_TX_FLAGS		157	/* 0: fault, 1: LOS, 2: CDR LOL */
#define CMIS_01_RX_FLAGS		158	/* 1: LOS, 2: CDR LOL */
#define CMIS_01_MODULE_MONITORS		159	/* 0: temperature, 1: Vcc */
#define CMIS_01_LANE_MONITORS		160	/* 0: TX bias, 1: TX power, 2: RX power; 4:3 bias multiplier */
#define CMIS_01_MON_BIAS		ALINK_BIT(0)
#define CMIS_01_MON_TX_POWER		ALINK_BIT(1)
#define CMIS_01_MON_RX_POWER		ALINK_BIT(2)
#define CMIS_01_BIAS_MULT_SHIFT		3
#define CMIS_01_BIAS_MULT_MASK		ALINK_MASK(4, 3)
#define CMIS_01_TX_SI			161	/* bit 0: CDR, which no linear module has */
#define CMIS_01_RX_SI			162
#define CMIS_01_CDB			163	/* instances in 7:6: none here */
#define CMIS_01_POWER_DURATIONS		167	/* PwrDn 7:4, PwrUp 3:0 */
#define CMIS_01_TX_DURATIONS		168	/* TxTurnOff 7:4, TxTurnOn 3:0 */
#define CMIS_01_MEDIA_LANES		176	/* media lane options of application 1.. */
#define CMIS_01_LPO_PAGES		195	/* 'L','P' with vendor pages C1h and C2h */
#define CMIS_01_CHECKSUM		255	/* sum of 130..254 */

/* Page 02h: thresholds; each: high alarm, low alarm, high warning, low warning */
#define CMIS_02_TEMP			128
#define CMIS_02_VCC			136
#define CMIS_02_TX_POWER		176
#define CMIS_02_TX_BIAS			184
#define CMIS_02_RX_POWER		192
#define CMIS_02_CHECKSUM		255	/* sum of 128..254 */

/* Page 10h: lane controls, one bit per lane */
#define CMIS_10_DP_DEINIT		128
#define CMIS_10_TX_DISABLE		130
#define CMIS_10_RX_DISABLE		138
#define CMIS_10_APPLY_INIT		143
#define CMIS_10_APPLY_NOW		144
#define CMIS_10_APPSEL			145	/* staged: AppSel 7:4, data path id 3:1 */
#define CMIS_10_MASKS			213	/* masks of page 11h bytes 134..153 */

/* Page 11h: lane status */
#define CMIS_11_DP_STATE		128	/* nibble per lane, even lane low */
#define CMIS_11_RX_OUTPUT		132	/* bit per lane: output is valid */
#define CMIS_11_TX_OUTPUT		133
#define CMIS_11_FLAGS_FIRST		134	/* latched, clear on read: 134..153 */
#define CMIS_11_FLAG_DP_STATE		134
#define CMIS_11_FLAG_TX_FAULT		135
#define CMIS_11_FLAG_TX_LOS		136
#define CMIS_11_FLAG_TX_POWER		139	/* high alarm, low alarm, high warning, low warning */
#define CMIS_11_FLAG_TX_BIAS		143
#define CMIS_11_FLAG_RX_LOS		147
#define CMIS_11_FLAG_RX_POWER		149
#define CMIS_11_FLAG_OUTPUT		153
#define CMIS_11_FLAGS_LAST		153
#define CMIS_11_TX_POWER		154	/* u16, 0.1 uW */
#define CMIS_11_TX_BIAS			170	/* u16, 2 uA */
#define CMIS_11_RX_POWER		186	/* u16, 0.1 uW */
#define CMIS_11_CONFIG			202	/* nibble per lane */
#define CMIS_11_ACTIVE			206	/* active AppSel per lane */
#define CMIS_11_MEDIA_LANES		240	/* media lane of each lane */

/* Data path states */
#define CMIS_DP_DEACTIVATED		1
#define CMIS_DP_INIT			2
#define CMIS_DP_DEINIT			3
#define CMIS_DP_ACTIVATED		4
#define CMIS_DP_TX_ON			5
#define CMIS_DP_TX_OFF			6
#define CMIS_DP_INITIALIZED		7

/* Configuration status */
#define CMIS_CONFIG_NONE		0
#define CMIS_CONFIG_SUCCESS		1
#define CMIS_CONFIG_REJECTED		2
#define CMIS_CONFIG_BAD_APPSEL		3
#define CMIS_CONFIG_BAD_DATA_PATH	4
#define CMIS_CONFIG_LANE_IN_USE		6
#define CMIS_CONFIG_IN_PROGRESS		12

/*
 * Vendor pages of a linear module: what a module without a DSP can tell about
 * signal quality. Same layout as the published "enhanced LPO" maps.
 */
#define CMIS_PAGE_LPO_CAPS		0xc1
#define CMIS_C1_CAPS			128	/* 0: VMA, 1: OMA monitors */
#define CMIS_C1_VMA			136	/* u8, 5 mV: high alarm, low alarm, high warning, low warning */
#define CMIS_C1_OMA			141	/* u16, 0.1 uW: same order */
#define CMIS_PAGE_LPO_MON		0xc2
#define CMIS_C2_VMA			145	/* u8 per lane, 5 mV: host input swing */
#define CMIS_C2_OMA			161	/* u16 per lane, 0.1 uW: RX optical modulation amplitude */

#endif /* HW_ALINK_CMIS_H */
